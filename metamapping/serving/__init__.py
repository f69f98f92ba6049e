"""Tasks over HTTP, behind `metamapping serve`. Needs the extra `serve`.

    PUT /tasks/orders {"examples": [{"text": "where is my parcel", "label": "delivery"}, …]}
    POST /tasks/orders/predict {"texts": ["it has not arrived"]}     # {"predictions": ["delivery"]}

``app`` has the endpoints, ``messages`` their requests and responses, ``service`` the model and the tasks.
Only ``batching`` imports TensorFlow at module level, so the server responds while the encoder is loading.
"""
