"""Forged manifests: changed contents with matching checksums."""

import json

from metamapping.storage.manifest import MANIFEST, sealed, unsealed


def read_manifest(folder):
    return unsealed((folder / MANIFEST).read_bytes(), folder)


def forge_manifest(folder, manifest):
    (folder / MANIFEST).write_text(json.dumps(sealed(manifest)))
