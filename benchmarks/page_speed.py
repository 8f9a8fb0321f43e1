"""A picture uploaded to the page's service, beside the same query in Python."""

from __future__ import annotations

import http.client
import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from measure import ratio
from PIL import Image
from query_speed import paper_sized
from runtimes import LAYER

from fashion16_lib.data.pictures import read_image
from fashion16_lib.models.vgg16 import Vgg16Extractor

N_QUERIES = 100


def run() -> dict[str, Any]:
    """Return the ratios, each from a picture's file to its 20 hits among 325,820 items, over one open connection."""
    with tempfile.TemporaryDirectory() as folder:
        return {"ratios": [_uploads(Path(folder), pixels, n) for pixels, n in ((64, N_QUERIES), (224, 30))]}


def _uploads(folder: Path, pixels: int, n_queries: int) -> Any:
    model, images = paper_sized(Vgg16Extractor(LAYER, pixels), 600 if pixels == 64 else 100)
    model.save(folder / "library.h5")
    files = [folder / f"{number}.png" for number in range(n_queries)]
    for path, image in zip(files, images, strict=False):
        Image.fromarray(image).save(path)
    command = [sys.executable, "-m", "fashion16_lib", "serve", str(folder / "library.h5"), "--port", "0"]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        found = re.search(r"http://([\d.:]+)/", server.stdout.readline())
        if found is None:
            raise SystemExit("the server didn't start")
        line = http.client.HTTPConnection(found[1])

        def upload(path: Path) -> dict[str, Any]:
            line.request("POST", "/api/search", path.read_bytes(), {"Content-Type": "image/png"})
            return json.loads(line.getresponse().read())

        assert upload(files[0])["code"] == model.answer(read_image(files[0])).code
        return ratio(f"upload to answer / the same query in Python, {pixels} px", upload,
                     lambda path: model.answer(read_image(path)), files, "<= 1.3")
    finally:
        server.kill()
