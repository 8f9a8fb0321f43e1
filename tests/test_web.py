"""The service answers as the library does, the page shows it, and both are as they are described."""

from __future__ import annotations

import io
import json
import re
import signal
from importlib.resources import files

import numpy as np
import pytest
from conftest import CLOSET_CLASSES, CLOSET_SIZE
from jsonschema import Draft202012Validator
from PIL import Image
from web import asked, both_searches, form, png, serve

from fashion16_lib.data.dataset import Dataset, load_class_folder
from fashion16_lib.data.item_pictures import item_pictures
from fashion16_lib.data.pictures import read_image
from fashion16_lib.models.softmax_head import SoftmaxHead
from fashion16_lib.search.hamming import hamming_distances
from fashion16_lib.search.retrieval import Fashion16
from fashion16_lib.settings import Fashion16Error
from fashion16_lib.web.app import HEADERS, create_app
from fashion16_lib.web.page import WORDS
from fashion16_lib.web.served import MODES, Served

WEB = files("fashion16_lib.web")
OPENAPI = json.loads((WEB / "static/openapi.json").read_text())


@pytest.fixture(scope="module")
def client(library_path):
    return create_app(Served(library_path)).test_client()


@pytest.fixture(scope="module")
def python(library_path):
    """Return the same two searches in Python."""
    return both_searches(library_path)


@pytest.fixture(scope="module")
def closet_library(closet, head, cached_vgg, tmp_path_factory):
    """Return a library of people's own pictures, whose file doesn't say where they lie."""
    items = load_class_folder(closet)
    decider = SoftmaxHead.fit(cached_vgg.extract(items.images), items.labels, items.class_names, cached_vgg)
    path = tmp_path_factory.mktemp("closet-library") / "closet.h5"
    Fashion16.build(items, decider, cached_vgg).save(path)
    return path


def fits(name, value):
    """Hold a value against a schema of the description."""
    Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": OPENAPI["components"]}).validate(value)


# ---------------------------------------------------------------- the service


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("way", ["raw", "form", "query string"])
def test_an_upload_is_answered_as_in_python(client, python, photos, mode, way):
    for image in photos.queries.images[:5]:
        if way == "form":
            body, headers = form(png(image), mode=mode, k=7)
            reply = client.post("/api/search", data=body, headers=headers)
        else:
            kind = {"Content-Type": "image/png"} if way == "raw" else {}
            reply = client.post(f"/api/search?mode={mode}&k=7", data=png(image), headers=kind)
        wanted = python[mode].answer(image, 7)
        found = reply.get_json()
        assert reply.status_code == 200 and fits("Answer", found) is None
        assert found["mode"] == mode and found["label"] == wanted.label and found["code"] == wanted.code
        assert found["probabilities"] == pytest.approx(wanted.probabilities, abs=1e-6)
        assert list(found["probabilities"]) == list(photos.queries.class_names)
        hits = [(hit["id"], hit["label"], hit["similarity"], hit["distance"], hit["code"]) for hit in found["hits"]]
        assert hits == [(hit.id, hit.label, hit.similarity, hit.distance, hit.code) for hit in wanted.hits]
        assert [hit["rank"] for hit in found["hits"]] == list(range(1, 8))


def test_codes_of_query_and_hits_differ_in_as_many_bits_as_is_said(client, photos):
    found = client.post("/api/search?mode=direct&k=100", data=png(photos.queries.images[9])).get_json()
    codes = np.array([list(bytes.fromhex(hit["code"])) for hit in found["hits"]], np.uint8)
    own = np.array([list(bytes.fromhex(found["code"]))], np.uint8)
    assert hamming_distances(own, codes)[0].tolist() == [hit["distance"] for hit in found["hits"]]
    assert len({hit["code"] for hit in found["hits"]}) > 20


def test_what_is_compared_and_how_long_each_step_took(client, python, photos):
    for mode in MODES:
        found = client.post(f"/api/search?mode={mode}", data=png(photos.queries.images[3])).get_json()
        library = python[mode].library
        assert found["n_compared"] == (library.counts[found["label"]] if mode == "in-class" else library.n_items)
        times = dict(found["time_ms"])
        assert times.pop("total") == pytest.approx(sum(times.values()))
        assert list(times) == ["decode", "extract", "classify", "hash", "search", "read_result"]
        assert len(found["hits"]) == 20 and max(times, key=times.get) == "extract"


def test_both_searches_of_the_page_share_one_pass_of_the_network(library_path, photos):
    served = Served(library_path)
    for image in (photos.queries.images[0], photos.queries.images[1]):
        first, second = served.answers(lambda _, image=image: image, 5, MODES).of_modes
        assert first.code == second.code and second.time_ms["extract"] < first.time_ms["extract"] / 5
        for answer in (first, second):
            assert answer.code == Fashion16.open(library_path).answer(image).code


def test_an_item_of_the_library_finds_itself_first(client, photos):
    item = photos.gallery.ids[17]
    found = client.post("/api/search", data={"item": item, "mode": "direct"}).get_json()
    assert found["item"] == item and found["hits"][0]["distance"] == 0
    assert item in [hit["id"] for hit in found["hits"] if hit["distance"] == 0]


def test_library_and_health(client, python):
    library, reply = python["direct"].library, client.get("/api/library").get_json()
    assert fits("Library", reply) is None and reply["items"] == library.n_items and reply["classes"] == library.counts
    health = client.get("/healthz").get_json()
    assert fits("Health", health) is None and health["library"] == reply["version"]


def test_the_description_names_every_path_and_no_other(client):
    rules = {re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) for rule in client.application.url_map.iter_rules()}
    assert rules - set(OPENAPI["paths"]) == {"/", "/openapi.json", "/static/{filename}"}
    assert set(OPENAPI["paths"]) <= rules and client.get("/openapi.json").get_json() == OPENAPI
    for path, ways in OPENAPI["paths"].items():
        (rule,) = [rule for rule in client.application.url_map.iter_rules()
                   if re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule) == path]
        assert rule.methods - {"HEAD", "OPTIONS"} == {way.upper() for way in ways}


@pytest.mark.parametrize("request_", [
    ("GET", "/nowhere", 404), ("GET", "/api/search", 405), ("POST", "/healthz", 405),
    ("GET", "/static/nothing.js", 404), ("GET", "/pictures/old/train/00001", 404),
    ("POST", "/api/search?mode=sideways", 400), ("POST", "/api/search", 400)], ids=str)
def test_errors_are_problem_details(client, request_):
    method, path, status = request_
    reply = client.open(path, method=method, data=png(np.zeros((28, 28), np.uint8)) if "mode" in path else b"")
    assert reply.status_code == status and reply.mimetype == "application/problem+json"
    problem = json.loads(reply.data)
    assert fits("Problem", problem) is None and problem["status"] == status
    assert (reply.headers.get("Allow") is not None) == (status == 405)


def test_requests_of_other_websites_are_not_answered(client, photos):
    body = png(photos.queries.images[0])
    for headers in ({"Origin": "http://elsewhere.example"}, {"Origin": "null"}, {"Sec-Fetch-Site": "cross-site"},
                    {"Origin": "http://localhost:1"}, {"Origin": "http://["}, {"Origin": "https://localhost"},
                    {"Sec-Fetch-Site": "same-site"}):
        assert client.post("/api/search", data=body, headers=headers).status_code == 403, headers
        assert client.post("/", data={"item": "test/00001"}, headers=headers).status_code == 403
    for headers in ({"Origin": "http://localhost"}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {}):
        assert client.post("/api/search", data=body, headers=headers).status_code == 200, headers


# ---------------------------------------------------------------- the page


def test_every_answer_forbids_what_the_page_does_without(client, photos):
    replies = [client.get("/"), client.get("/static/page.js"), client.get("/nowhere"), client.get("/healthz"),
               client.post("/", data={"item": photos.gallery.ids[0]})]
    for reply in replies:
        assert {name: reply.headers[name] for name in HEADERS} == HEADERS
    assert "unsafe" not in HEADERS["Content-Security-Policy"]
    assert all("no-store" in reply.headers["Cache-Control"] for reply in replies)


def test_no_outside_address_and_nothing_inline(client, photos):
    page = client.post("/", data={"item": photos.gallery.ids[0]}).get_data(as_text=True)
    for text in (page, *((WEB / "static" / name).read_text() for name in ("page.css", "page.js", "icon.svg"))):
        assert not re.search(r"(?:https?:)?//(?!www\.w3\.org/2000/svg)[\w.-]+\.\w", text)
    assert not re.search(r"\s(?:style|on\w+)=|javascript:|<script(?![^>]*src=)", page)


@pytest.mark.parametrize("language", WORDS)
def test_the_page_speaks_each_language(client, photos, language):
    for reply in (client.post(f"/?lang={language}", data={"item": photos.gallery.ids[0]}),
                  client.get("/", headers={"Accept-Language": language})):
        text = reply.get_data(as_text=True)
        assert f'<html lang="{language}">' in text and WORDS[language]["samples"] in text
    assert client.get("/", headers={"Accept-Language": "tlh"}).get_data(as_text=True).count('<html lang="en">') == 1


def test_the_languages_say_the_same_things():
    def shape(words):
        return {name: shape(word) if isinstance(word, dict) else sorted(re.findall(r"\{\w+\}", word))
                for name, word in words.items() if name != "classes"}

    assert shape(WORDS["en"]) == shape(WORDS["zh"])
    used = (WEB / "templates/page.html").read_text()
    unused = [word for word in WORDS["en"] if not re.search(rf"\bwords\.{word}\b", used)]
    assert set(unused) == {"language", "classes", "unknown"}             # the nav's, and those of name_of
    assert set(WORDS["en"]["problems"]) == {"400", "403", "404", "413", "415", "500", "503"}


def test_the_page_works_without_scripts(client, python, photos):
    image = photos.queries.images[4]
    body, headers = form(png(image), mode="both", k=5)
    text = client.post("/?lang=en", data=body, headers=headers).get_data(as_text=True)
    for mode in MODES:
        part = text.split(f'id="answer-{mode}"')[1]
        ids = re.findall(r'name="item" value="([^"]+)" class="hit', part)[:5]
        assert ids == [hit.id for hit in python[mode].answer(image, 5).hits]
    assert f"Taken for: {python['direct'].answer(image, 1).label}" in text
    assert text.count("<tr ") == len(photos.queries.class_names)


def test_the_page_shows_an_error_and_still_asks(client):
    body, headers = form(b"no picture")
    reply = client.post("/?lang=zh", data=body, headers=headers)
    text = reply.get_data(as_text=True)
    assert reply.status_code == 415 and 'role="alert"' in text and WORDS["zh"]["problems"]["415"] in text
    assert 'id="image"' in text and "Traceback" not in text


def test_an_error_keeps_what_was_asked(client, photos):
    item = photos.gallery.ids[3]
    text = client.post("/", data={"again": item, "k": "999", "mode": "direct"}).get_data(as_text=True)
    assert f'name="again" value="{item}"' in text and 'value="direct" checked' in text and f"/{item}\"" in text
    assert 'name="k" type="number" min="1" max="100" value="999"' in text


def test_a_failure_is_told_without_its_trace(library_path, monkeypatch, capsys):
    served = Served(library_path)
    client = create_app(served).test_client()
    monkeypatch.setattr(served, "answers", lambda *_: 1 / 0)
    for path, mark in (("/", WORDS["en"]["problems"]["500"]), ("/api/search", "the server failed")):
        reply = client.post(path, data=png(np.zeros((28, 28), np.uint8)), headers={"Content-Type": "image/png"})
        text = reply.get_data(as_text=True)
        assert reply.status_code == 500 and mark in text and "Traceback" not in text and "ZeroDivision" not in text
    assert capsys.readouterr().err.count("ZeroDivisionError") == 2


def test_names_are_shown_as_text(client, photos):
    reply = client.post("/", data={"item": photos.gallery.ids[0], "k": '5"><script>alert(1)</script>'})
    assert reply.status_code == 400 and "<script>alert" not in reply.get_data(as_text=True)


HOSTILE = ("<script>alert(1)</script>", "\"><img src=x>", "Men's Shirts & Tops",
           *(f"class {{{{ {n} }}}}" for n in range(37)))


@pytest.fixture(scope="module")
def hostile_library(photos, head, cached_vgg, tmp_path_factory):
    """Return a library of 40 classes, whose names and ids would be markup, and some no text at all."""
    rows = list(range(80))
    part = photos.gallery.take(rows)
    ids = [f"{row:02d}/{HOSTILE[row % 3]}" for row in rows[:-1]] + ["79/\udcff.jpg"]
    items = Dataset("hostile", part.images, np.array(rows) % 40, HOSTILE, ids)
    decider = SoftmaxHead.fit(cached_vgg.extract(items.images), items.labels, HOSTILE, cached_vgg)
    path = tmp_path_factory.mktemp("hostile") / "hostile.h5"
    Fashion16.build(items, decider, cached_vgg).save(path)
    return path


def test_names_and_ids_of_a_library_are_shown_as_text(hostile_library, photos):
    client = create_app(Served(hostile_library)).test_client()
    body, headers = form(png(photos.gallery.images[79]), mode="direct", k=80)
    text = client.post("/", data=body, headers=headers).get_data(as_text=True)
    assert "<script>alert" not in text and "<img src=x" not in text and "&lt;script&gt;alert" in text
    assert not re.search("amp;(?:#39|amp|lt)", text)                    # escaped once, not twice
    assert re.search(r'aria-label="Garment \d+: Men&#39;s Shirts &amp; Tops, similarity', text)
    assert text.count("<tr ") == 10                                     # of 40 classes the ten most probable
    found = client.post("/api/search?mode=direct&k=80", data=png(photos.gallery.images[79])).get_json()
    assert len(found["hits"]) == 80 and "79/?.jpg" in [hit["id"] for hit in found["hits"]]


# ---------------------------------------------------------------- pictures


def test_pictures_are_those_of_the_items(client, photos):
    version = client.get("/healthz").get_json()["library"]
    reply = client.get(f"/pictures/{version}/{photos.gallery.ids[3]}")
    assert reply.mimetype == "image/png" and "immutable" in reply.headers["Cache-Control"]
    shown = np.asarray(Image.open(io.BytesIO(reply.data)))
    assert (shown[::3, ::3] == photos.gallery.images[3]).all()          # enlarged threefold, nothing invented


def test_samples_are_unseen_and_each_answers(client, library_path):
    served = Served(library_path).current()
    assert len(served.samples) == 10 and not set(served.samples) & set(served.library.ids())
    labels = [client.post("/api/search", data={"item": item}).get_json()["label"] for item in served.samples]
    assert len(set(labels)) > 4


def test_people_s_own_pictures(closet_library, closet):
    bare = create_app(Served(closet_library)).test_client()
    picture = closet / "Bag/3.jpg"
    found = bare.post("/api/search?mode=direct", data=picture.read_bytes()).get_json()
    assert found["hits"][0]["distance"] == 0 and {hit["picture"] for hit in found["hits"]} == {None}
    page = bare.post("/", data=form(picture.read_bytes())[0], headers=form(b"")[1]).get_data(as_text=True)
    assert WORDS["en"]["no_picture"] in page and "<img src" not in page
    assert bare.post("/api/search", data={"item": "Bag/3.jpg"}).status_code == 404

    client = create_app(Served(closet_library, str(closet))).test_client()
    found = client.post("/api/search", data={"item": "Bag/3.jpg", "mode": "direct"}).get_json()
    assert found["hits"][0]["distance"] == 0
    assert {client.get(hit["picture"]).status_code for hit in found["hits"]} == {200}
    assert len(Served(closet_library, str(closet)).current().samples) == len(CLOSET_CLASSES)
    with pytest.raises(ValueError, match="no folder, nor a zip"):
        Served(closet_library, str(closet / "nowhere"))


def test_item_pictures(closet, photos):
    mine = item_pictures("mine", closet)
    assert len(mine) == len(CLOSET_CLASSES) * CLOSET_SIZE and "Bag/3.jpg" in mine and "../Bag/3.jpg" not in mine
    assert (mine["Bag/3.jpg"] == read_image(closet / "Bag/3.jpg")).all()
    known = item_pictures("fashion-mnist")
    assert len(known) == 70_000 and (known[photos.queries.ids[1]] == photos.queries.images[1]).all()
    with pytest.raises(Fashion16Error, match="give its path"):
        item_pictures("mine")
    with pytest.raises(ValueError, match="need no path"):
        item_pictures("fashion-mnist", closet)


def test_product_photos_are_found_by_their_ids(photo_folder, monkeypatch):
    monkeypatch.setenv("FASHION16_PHOTOS", str(photo_folder))
    shop = item_pictures("product-photos")
    assert len(shop) > 30_000 and not shop.unseen and shop["1163"].ndim == 3


# ---------------------------------------------------------------- the command


def test_serve_is_ready_when_it_says_so_and_ends_with_ctrl_c(library_path, python, photos, tmp_path):
    child = serve(library_path, folder=tmp_path)
    try:
        line = child.stdout.readline()
        address = re.fullmatch(r"ready at (http://127\.0\.0\.1:\d+/) \(Ctrl-C ends it\)\n", line)[1]
        status, _, body = asked(address, "POST", "/api/search", png(photos.queries.images[0]))
        assert status == 200 and json.loads(body)["label"] == python["in-class"].answer(photos.queries.images[0]).label
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=30)
        assert (child.returncode, out, err) == (0, "", "")
    finally:
        child.kill()


def test_serve_builds_a_library_first_and_says_how_long_that_takes(private_data, tmp_path, monkeypatch):
    monkeypatch.setenv("FASHION16_DATA", str(private_data))
    monkeypatch.setenv("FASHION16_OUT", str(tmp_path))
    child = serve("--profile", "smoke", folder=tmp_path)
    try:
        built, line = child.stdout.readline(), child.stdout.readline()
        assert built.endswith("library.h5: 600 items in 10 classes, 64 bits\n") and line.startswith("ready at http://")
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=30)[1]
        assert "no library yet; building one of 600 garments, which takes about 1 minute" in said
    finally:
        child.kill()


def test_a_port_that_is_taken_is_told(library_path, tmp_path, capsys):
    from fashion16_lib.__main__ import main
    from fashion16_lib.web.serve import make_server

    server = make_server(Served(library_path), 0)
    assert main(["serve", str(library_path), "--port", str(server.effective_port)]) == 1
    assert "give another with --port" in capsys.readouterr().err
    server.close()
    assert main(["serve", str(tmp_path / "none.h5")]) == 1 and "no library file" in capsys.readouterr().err
