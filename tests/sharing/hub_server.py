"""A Hugging Face Hub on this machine: as much of its API as the real client asks for, and its faults on demand."""

import base64
import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote, urlsplit

TOKEN = "hf_right"
SMALL = 2048
"""Bytes up to which a text file is sent in the commit; others go to the large file storage."""


@dataclass
class Repo:
    """One repository.

    Args:
        private: needs the token.
        commits: files of every commit, by its id.
        refs: commit of every branch and tag.
    """

    private: bool = False
    commits: dict[str, dict[str, bytes]] = field(default_factory=dict)
    refs: dict[str, str] = field(default_factory=dict)

    def commit(self, files: dict[str, bytes], branch: str = "main") -> str:
        sha = hashlib.sha1(f"{len(self.commits)}{sorted(files)}".encode()).hexdigest()
        self.commits[sha] = files
        self.refs[branch] = sha
        return sha

    def find(self, revision: str) -> str | None:
        return revision if revision in self.commits else self.refs.get(revision)


@dataclass
class HubServer:
    """What is there, and what goes wrong.

    Args:
        repos: by type (``models`` or ``datasets``) and name.
        read_only: the token may not write.
        instead: bytes that are served in place of a file's, by its path.
        listed: files that the listing names beyond those that are there, with their size.
        cut: number of downloads that break off in the middle.
        lfs_down: the large file storage takes nothing.
        race: somebody else commits before the next commit.
        asked: method and path of every request.
    """

    repos: dict[tuple[str, str], Repo] = field(default_factory=dict)
    stored: dict[str, bytes] = field(default_factory=dict)
    read_only: bool = False
    instead: dict[str, bytes] = field(default_factory=dict)
    listed: dict[str, int] = field(default_factory=dict)
    cut: int = 0
    lfs_down: bool = False
    race: bool = False
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def files(self, kind: str, name: str, revision: str = "main") -> dict[str, bytes]:
        repo = self.repos[kind, name]
        return repo.commits[repo.refs[revision]]


def git_id(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def is_large(path: str, size: int) -> bool:
    return size > SMALL or path.endswith((".safetensors", ".parquet", ".png"))


def handler(hub: HubServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        disable_nagle_algorithm = True  # else an answer in two pieces takes 40 ms
        protocol_version = "HTTP/1.1"

        def answer(self, code: int, value: object = None, **headers: str) -> None:
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(code)
            for name, text in headers.items():
                self.send_header(name.replace("_", "-"), text)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def no(self, code: int, error: str, message: str = "") -> None:
            self.answer(code, {"error": message or error}, X_Error_Code=error, X_Error_Message=message or error)

        def body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") == "chunked":
                parts = []
                while size := int(self.rfile.readline(), 16):
                    parts.append(self.rfile.read(size))
                    self.rfile.readline()
                self.rfile.readline()
                return b"".join(parts)
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))

        def take(self) -> None:
            path = unquote(urlsplit(self.path).path)
            hub.asked.append((self.command, path))
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            content = self.body()
            if token and token != TOKEN:
                self.no(401, "", "Invalid credentials in Authorization header")
            elif self.command == "POST" and path == "/api/validate-yaml":
                self.answer(200, {"errors": [], "warnings": []})
            elif self.command == "POST" and path == "/api/repos/create":
                self.create(json.loads(content), token)
            elif self.command == "PUT" and path.startswith("/lfs/"):
                hub.stored[path.removeprefix("/lfs/")] = content
                self.answer(500 if hub.lfs_down else 200)
            elif found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)\.git/info/lfs/objects/batch", path):
                self.batch(json.loads(content))
            elif found := re.fullmatch(r"/api/(models|datasets)/([^/]+/[^/]+)(?:/([a-z]+)(?:/(.*))?)?", path):
                self.api(found[1], found[2], found[3] or "revision", found[4] or "main", content, token)
            elif found := re.fullmatch(r"/(datasets/)?([^/]+/[^/]+)/resolve/([^/]+)/(.*)", path):
                self.resolve("datasets" if found[1] else "models", found[2], found[3], found[4], token)
            else:
                self.no(404, "NotFound")

        do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = take

        def create(self, wanted: dict[str, str], token: str) -> None:
            key = (f"{wanted.get('type') or 'model'}s", f"{wanted['organization']}/{wanted['name']}")
            if token != TOKEN or hub.read_only:
                self.no(403 if token else 401, "", "you have no right to create a repository here")
            elif key in hub.repos:
                self.answer(409, {"error": "You already created this repo", "url": f"{hub.url}/{key[1]}"})
            else:
                hub.repos[key] = Repo(private=wanted.get("visibility") == "private" or bool(wanted.get("private")))
                hub.repos[key].commit({".gitattributes": b"*.parquet filter=lfs\n"})
                prefix = "datasets/" if key[0] == "datasets" else ""
                self.answer(200, {"url": f"{hub.url}/{prefix}{key[1]}"})

        def batch(self, wanted: dict[str, list[dict[str, object]]]) -> None:
            def action(item: dict[str, object]) -> dict[str, object]:
                there = item["oid"] in hub.stored and not hub.lfs_down
                upload = {"upload": {"href": f"{hub.url}/lfs/{item['oid']}"}}
                return {**item, **({} if there else {"actions": upload})}

            self.answer(200, {"transfer": "basic", "objects": [action(item) for item in wanted["objects"]]})

        def api(self, kind: str, name: str, what: str, rest: str, content: bytes, token: str) -> None:
            repo = hub.repos.get((kind, name))
            if repo is None or (repo.private and not token):
                self.no(404 if token else 401, "RepoNotFound", "Repository not found")
                return
            if what in ("preupload", "commit", "branch", "tag") and (token != TOKEN or hub.read_only):
                self.no(403, "", "you have no right to write here")
                return
            if what == "branch":
                repo.refs.setdefault(rest, repo.refs["main"])
                self.answer(200, {})
                return
            sha = repo.find(rest.partition("/")[0])
            if sha is None:
                self.no(404, "RevisionNotFound", f"Invalid rev id: {rest}")
                return
            files = repo.commits[sha]
            if what == "revision":
                self.answer(200, {"id": name, "sha": sha, "private": repo.private, "tags": [], "siblings": []})
            elif what == "tree":
                self.answer(200, [*self.entries(files), *self.listed()])
            elif what == "tag":
                given = json.loads(content)["tag"]
                if given in repo.refs:
                    self.no(409, "", f"Tag reference exists already: {given}")
                else:
                    repo.refs[given] = sha
                    self.answer(200, {})
            elif what == "preupload":
                self.answer(200, {"files": [self.mode(file, files) for file in json.loads(content)["files"]]})
            elif what == "commit":
                self.take_commit(kind, name, repo, rest, content)

        def listed(self) -> list[dict[str, object]]:
            return [{"type": "file", "path": path, "size": size, "oid": "0" * 40} for path, size in hub.listed.items()]

        def entries(self, files: dict[str, bytes]) -> Iterator[dict[str, object]]:
            for path, content in files.items():
                entry = {"type": "file", "path": path, "size": len(content), "oid": git_id(content)}
                if is_large(path, len(content)):
                    digest = hashlib.sha256(content).hexdigest()
                    entry["lfs"] = {"oid": digest, "size": len(content), "pointerSize": 130}
                yield entry

        def mode(self, file: dict[str, object], there: dict[str, bytes]) -> dict[str, object]:
            path, known = str(file["path"]), there.get(str(file["path"]))
            large = is_large(path, int(str(file["size"])))
            oid = None if known is None else hashlib.sha256(known).hexdigest() if large else git_id(known)
            return {"path": path, "uploadMode": "lfs" if large else "regular", "shouldIgnore": False, "oid": oid}

        def take_commit(self, kind: str, name: str, repo: Repo, branch: str, content: bytes) -> None:
            if hub.race:
                hub.race = False
                repo.commit({**repo.commits[repo.refs[branch]], "README.md": b"from elsewhere"}, branch)
            files = dict(repo.commits[repo.refs[branch]])
            for line in content.decode().splitlines():
                part = json.loads(line)
                value = part["value"]
                if part["key"] == "header" and value.get("parentCommit") not in (None, repo.refs[branch]):
                    self.no(412, "", "A commit has happened since. Please refresh and try again.")
                    return
                if part["key"] == "file":
                    files[value["path"]] = base64.b64decode(value["content"])
                elif part["key"] == "lfsFile":
                    files[value["path"]] = hub.stored[value["oid"]]
                elif part["key"] == "deletedFile":
                    del files[value["path"]]
            sha = repo.commit(files, branch)
            prefix = "datasets/" if kind == "datasets" else ""
            self.answer(200, {"commitUrl": f"{hub.url}/{prefix}{name}/commit/{sha}", "commitOid": sha})

        def resolve(self, kind: str, name: str, revision: str, path: str, token: str) -> None:
            repo = hub.repos.get((kind, name))
            sha = None if repo is None or (repo.private and not token) else repo.find(revision)
            if repo is None or sha is None or path not in repo.commits[sha]:
                self.no(404, "EntryNotFound" if sha else "RepoNotFound", "not there")
                return
            content = repo.commits[sha][path]
            sent = hub.instead.get(path, content)
            start = int((self.headers.get("Range") or "bytes=0-").removeprefix("bytes=").partition("-")[0])
            self.send_response(206 if start else 200)
            self.send_header("X-Repo-Commit", sha)
            self.send_header("ETag", f'"{hashlib.sha256(sent).hexdigest()}"')
            if start:
                self.send_header("Content-Range", f"bytes {start}-{len(sent) - 1}/{len(sent)}")
            self.send_header("Content-Length", str(len(sent) - start))
            self.end_headers()
            if self.command == "HEAD":
                return
            if hub.cut and len(sent) > 1:
                hub.cut -= 1
                self.wfile.write(sent[start : start + (len(sent) - start) // 2])
                self.close_connection = True
                return
            self.wfile.write(sent[start:])

        def log_message(self, *args: object) -> None:
            return

    return Handler


@contextmanager
def serving(hub: HubServer) -> Iterator[HubServer]:
    """Serve until the block ends."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler(hub)) as running:
        running.daemon_threads = True
        threading.Thread(target=running.serve_forever, args=(0.02,), daemon=True).start()
        hub.url = f"http://127.0.0.1:{running.server_port}"
        try:
            yield hub
        finally:
            running.shutdown()
