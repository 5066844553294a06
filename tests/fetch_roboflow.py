#!/usr/bin/env python3
"""tools/fetch-roboflow against a server that plays Roboflow's API. Each project of the server behaves in a way
of its own. usage: fetch_roboflow.py REPOSITORY"""
import http.server
import io
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import threading
import unittest
import zipfile

TOOL = str(pathlib.Path(sys.argv.pop(1)).resolve() / "tools" / "fetch-roboflow")
KEY = "secret0123456789KEY"
YOLO = {"data.yaml": b"names: [a]\n", "train/images/1.jpg": b"1", "train/labels/1.txt": b"0 0 0 1 0 1 1\n"}
COCO = {"README.roboflow.txt": b"", "train/_annotations.coco.json": b"{}", "train/1.jpg": b"1"}


def zipped(files, link=None):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, data in files.items():
            z.writestr(name, data)
        if link:
            info = zipfile.ZipInfo(link)
            info.external_attr = 0o120777 << 16
            z.writestr(info, "/etc/passwd")
    return out.getvalue()


LARGE = zipped({**YOLO, "train/images/2.jpg": os.urandom(300000)})
EXPORTS = {
    "good": zipped(YOLO), "slow": zipped(YOLO), "busy": zipped(YOLO), "generating": zipped(YOLO),
    "coins": zipped(COCO), "large": LARGE, "empty": zipped({"a.txt": b""}),
    "damaged": LARGE[:-30], "flipped": LARGE[:200000] + b"????" + LARGE[200004:],
    "up": zipped({**YOLO, "../evil.txt": b"x"}), "root": zipped({**YOLO, "/evil.txt": b"x"}),
    "deep": zipped({**YOLO, "a/../../evil.txt": b"x"}), "link": zipped(YOLO, "train/passwd"),
}


class Api(http.server.BaseHTTPRequestHandler):
    asked = {}
    titles = []
    queries = []

    def log_message(self, *args):
        pass

    def answer(self, code, body, headers=()):
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        self.send_response(code)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        path, _, query = self.path.partition("?")
        for title in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
            try:
                Api.titles.append(title.read_bytes())
            except OSError:
                pass  # the process has ended
        parts = path.strip("/").split("/")
        project = parts[1]
        count = Api.asked[path] = Api.asked.get(path, 0) + 1
        if parts[0] == "storage":
            return self.storage(project, query, count)
        Api.queries.append(query)
        if query != "api_key=" + KEY:
            return self.answer(401, {"error": {"message": "key " + query + " is wrong", "type": "OAuthException"}})
        if project == "missing":
            return self.answer(404, {"error": {"message": "Unable to find\nthe project"}})
        if project == "down" or project == "busy" and count < 3:
            return self.answer(503, b"busy")
        if project == "forever" or project == "slow" and count < 4:
            return self.answer(202, {"progress": 0.25 * count})
        if project == "generating" and count < 3:
            return self.answer(200, {"version": {"generating": True, "progress": 0.5}})
        if project == "nothing":
            return self.answer(200, {"export": None})
        link = "http://%s:%d/storage/%s/x.zip?signature=%s" % (*self.server.server_address, project, "s3cret")
        body = json.dumps({"export": {"format": parts[3], "link": link}, "version": {"id": "x"}})
        self.answer(200, body.replace("/", "\\/").encode())  # as some servers write it

    def storage(self, project, query, count):
        data = EXPORTS[project]
        if query != "signature=s3cret" or "api_key" in self.path:
            return self.answer(403, b"no")
        if project == "large" and count == 1:  # cut in the middle of a download
            self.send_response(200)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data[:100000])
            self.close_connection = True
            return None
        start = self.headers.get("Range", "bytes=0-")[6:].rstrip("-")
        if int(start):
            headers = [("Content-Range", "bytes %s-%d/%d" % (start, len(data) - 1, len(data)))]
            return self.answer(206, data[int(start):], headers)
        return self.answer(200, data)


class Fetch(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Api)
        threading.Thread(target=cls.server.serve_forever, daemon=True).start()

    @classmethod
    def tearDownClass(cls):
        cls.server.shutdown()

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def run_tool(self, *args, **environment):
        env = {**os.environ, "ROBOFLOW_API_KEY": KEY, "ROBOFLOW_PAUSE": "0",
               "ROBOFLOW_API_URL": "http://%s:%d" % self.server.server_address, **environment}
        done = subprocess.run([TOOL, *args], cwd=self.folder.name, env=env, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertNotIn(KEY, done.stdout + done.stderr)
        self.assertNotIn("s3cret", done.stdout + done.stderr)
        return done

    def files(self):
        root = pathlib.Path(self.folder.name)
        return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    def check_got(self, done, out, files):
        self.assertEqual((done.returncode, done.stdout), (0, out + "\n"), done.stderr)
        self.assertEqual(self.files(), {out + "/" + name: data for name, data in files.items()})

    def check_refused(self, message, *args, code=1, **environment):
        done = self.run_tool(*args, **environment)
        self.assertEqual((done.returncode, done.stdout), (code, ""))
        self.assertIn(message, done.stderr)
        self.assertEqual(len(done.stderr.strip().split("\n")), 1, done.stderr)
        self.assertEqual(os.listdir(self.folder.name), [])

    def test_downloads(self):
        self.check_got(self.run_tool("team/good/3"), "good-3", YOLO)

    def test_names_the_folder_and_the_format(self):
        self.check_got(self.run_tool("team/coins/1", "--format", "coco", "-o", "sets/mine"), "sets/mine", COCO)

    def test_waits_for_the_export(self):
        done = self.run_tool("team/slow/1")
        self.check_got(done, "slow-1", YOLO)
        self.assertIn("fetch-roboflow: Roboflow makes the export, done: 0.5\n", done.stderr)
        self.check_refused_after_waiting()

    def check_refused_after_waiting(self):
        done = self.run_tool("team/forever/1", "--wait", "2")
        self.assertEqual(done.returncode, 1)
        self.assertIn("team/forever/1: the export was not ready after 2 s (--wait)", done.stderr)

    def test_waits_for_a_version_being_generated(self):
        self.check_got(self.run_tool("team/generating/1"), "generating-1", YOLO)

    def test_asks_a_busy_server_again(self):
        self.check_got(self.run_tool("team/busy/1"), "busy-1", YOLO)
        self.assertEqual(Api.asked["/team/busy/1/yolov8"], 3)

    def test_gives_up(self):
        self.check_refused(": no answer after 5 tries (HTTP 503)", "team/down/1")
        self.check_refused(": no answer after 5 tries (HTTP 000)", "team/good/1", ROBOFLOW_API_URL="http://127.0.0.1:9")

    def test_goes_on_with_a_cut_download(self):
        done = self.run_tool("team/large/1")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(len(self.files()["large-1/train/images/2.jpg"]), 300000)
        self.assertEqual(Api.asked["/storage/large/x.zip"], 2)

    def test_refusals_of_the_server(self):
        self.check_refused("team/good/1: ROBOFLOW_API_KEY: not accepted (HTTP 401): (a message that holds the key)",
                           "team/good/1", ROBOFLOW_API_KEY="other")
        self.check_refused("team/missing/1: HTTP 404: Unable to find", "team/missing/1")
        self.check_refused("team/nothing/1: expected a link to an export, got none", "team/nothing/1")

    def test_damaged_exports(self):
        self.check_refused("team/damaged/1: the export is damaged: ", "team/damaged/1")
        self.check_refused("team/flipped/1: the export is damaged: ", "team/flipped/1")
        self.check_refused("team/empty/1: expected data.yaml in the export, got none", "team/empty/1")
        self.check_refused("team/good/1: expected _annotations.coco.json in the export", "team/good/1", "--format", "coco")

    def test_exports_that_reach_outside(self):
        refused = ": the export is refused: expected names inside of its folder, got '"
        self.check_refused("team/up/1" + refused + "../evil.txt'", "team/up/1")
        self.check_refused("team/root/1" + refused + "/evil.txt'", "team/root/1")
        self.check_refused("team/deep/1" + refused + "a/../../evil.txt'", "team/deep/1")
        self.check_refused("team/link/1: the export is refused: expected files and folders, got a link", "team/link/1")

    def test_usage(self):
        for wrong in ("", "a", "a/b", "a/b/c", "a/b/1/2", "/b/1", "a//1", "a/b/", "../b/1", "a/b?x=/1"):
            self.check_refused("expected WORKSPACE/PROJECT/VERSION", wrong, code=2)
        self.check_refused("--format: expected yolov8 or coco, got 'zip'", "a/b/1", "--format", "zip", code=2)
        self.check_refused("--wait: expected whole seconds, got 'x'", "a/b/1", "--wait", "x", code=2)
        self.check_refused("no option '--x'", "--x", code=2)
        self.check_refused("ROBOFLOW_API_KEY: expected a key in the environment, got none", "a/b/1", ROBOFLOW_API_KEY="")
        self.check_refused("ROBOFLOW_API_KEY: expected letters", "a/b/1", ROBOFLOW_API_KEY='k"\nurl = "x')
        self.check_refused("ROBOFLOW_API_URL: expected http:// or https://", "a/b/1", ROBOFLOW_API_URL="file:///etc")

    def test_keeps_what_is_there(self):
        os.mkdir(os.path.join(self.folder.name, "good-1"))
        done = self.run_tool("team/good/1")
        self.assertEqual((done.returncode, done.stderr), (1, "fetch-roboflow: good-1: exists already\n"))

    def test_the_key_is_in_no_process_title(self):
        Api.titles.clear()
        Api.queries.clear()
        self.run_tool("team/good/1")
        self.assertIn("api_key=" + KEY, Api.queries)
        self.assertTrue(any(b"curl" in title for title in Api.titles))
        self.assertFalse(any(KEY.encode() in title or b"s3cret" in title for title in Api.titles))


if __name__ == "__main__":
    unittest.main()
