"""The calls of a Python application, with the requests library.

    requests_flows.py GATEWAY KEY LIMIT VIA

prints what it saw as JSON; the gateway's test judges it. KEY may be empty; VIA is
gateway or backend.
"""

import hashlib
import io
import json
import sys

import requests

gateway, key, limit, via = sys.argv[1], sys.argv[2], int(sys.argv[3]), sys.argv[4]
api = gateway + "/api/v1/upload"
session = requests.Session()
session.trust_env = False
if key:
    session.headers["Authorization"] = "Bearer " + key
PNG = bytes.fromhex("89504e470d0a1a0a0000000d49484452000000010000000108000000003a7e9b55")
picture = PNG + bytes(3000)
seen = {}


def refused(name, call):
    try:
        response = call()
        seen[name] = {"status": response.status_code, "detail": response.json()["detail"]}
    except Exception as error:  # what the test is about: no broken pipe, no reset
        seen[name] = {"status": 0, "detail": repr(error)}


seen["health"] = session.get(api + "/health").json()["status"]

response = session.post(api + "/direct", files={"file": ("example.png", io.BytesIO(picture))})
stored = response.json()
seen["direct"] = {"status": response.status_code, **stored}

link = session.post(api + "/presigned", json={"filename": "example.png", "content_type": "image/png", "expires_in": 3600}).json()
put = requests.put(link["upload_url"], data=io.BytesIO(picture), headers={"Content-Type": "image/png"})
seen["presigned"] = {"status": put.status_code, **link}

# No complete call: the file is there for whoever asks.
got = session.get(api + "/download/" + link["file_id"])
seen["download"] = {"status": got.status_code, "same": got.content == picture, "type": got.headers["Content-Type"]}
url = session.get(api + "/download/" + link["file_id"] + "/url", params={"expires_in": 3600}).json()
seen["url"] = {**url, "same": requests.get(url["download_url"]).content == picture}
metadata = session.get(api + "/metadata/" + stored["file_id"]).json()
seen["metadata"] = {**metadata, "hash": metadata["sha256"] == hashlib.sha256(picture).hexdigest()}
listed = session.get(api + "/list", params={"prefix": "uploads", "limit": 100}).json()
seen["list"] = sorted(f["file_id"] for f in listed["files"]) == sorted([stored["file_id"], link["file_id"]])

large = PNG + bytes(6 * limit)
refused("large form", lambda: session.post(api + "/direct", files={"file": ("huge.png", io.BytesIO(large))}))
refused("large body", lambda: session.put(api + "/direct", params={"filename": "huge.png"}, data=io.BytesIO(large), headers={"Content-Type": "image/png"}))
refused("large stream", lambda: session.put(api + "/direct", params={"filename": "huge.png"}, data=(large[i:i + 65536] for i in range(0, len(large), 65536)),
                                            headers={"Content-Type": "image/png"}))
refused("page", lambda: session.post(api + "/direct", files={"file": ("page.html", io.BytesIO(b"<!DOCTYPE html>" + bytes(9 << 20)))}))
if via == "gateway":
    link = session.post(api + "/presigned", json={"filename": "huge.png", "content_type": "image/png"}).json()
    try:
        over = requests.put(link["upload_url"], data=io.BytesIO(large), headers={"Content-Type": "image/png"})
        seen["large link"] = {"status": over.status_code, "detail": over.text}
    except Exception as error:
        seen["large link"] = {"status": 0, "detail": repr(error)}

seen["deleted"] = [session.delete(api + "/" + f).status_code for f in (stored["file_id"], stored["file_id"])]
print(json.dumps(seen))
