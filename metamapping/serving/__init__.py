"""Serving: tasks over HTTP, behind `metamapping serve`. Needs the extra `serve`.

    PUT /tasks/orders {"examples": [{"text": "where is my parcel", "label": "delivery"}, …]}
    POST /tasks/orders/predict {"texts": ["it has not arrived"]}     # {"predictions": ["delivery"]}

``app`` holds the endpoints, ``messages`` what they take and answer, ``service`` what they ask. Nothing
but ``passes`` imports TensorFlow with the module: the server answers while the encoder is still loading.
"""
