"""A creator with an upload key, for tests of what speaks S3."""
import datetime
import hashlib
import hmac
import os
import subprocess
import urllib.parse

from lab import call, get

QUICK = "auth:\n  hash_memory: 1MiB\n"
MIB = 1024 * 1024


class Uploader:
    def __init__(self, lab, origin=None, name="ada", extra=QUICK, **more):
        self.lab = lab
        self.origin = origin or lab.origin(workers=0, extra=extra, **more)
        self.api = self.origin.url + "/api/v1"
        account = {"email": f"{name}@example.org", "password": "correct horse battery"}
        assert call("POST", self.api + "/auth/register", account).status == 201
        self.token = call("POST", self.api + "/auth/login", account).json()["access_token"]
        key = call("POST", self.api + "/upload-keys", {"name": "test"}, self.token)
        assert key.status == 201, key.body
        self.key_id = key.json()["access_key_id"]
        self.secret = key.json()["secret_access_key"]

    def create(self, size, upload="sign", api=None, **more):
        answer = call("POST", (api or self.api) + "/videos",
                      {"title": "t", "filename": "clip.mp4", "size": size, "upload": upload, **more},
                      self.token)
        assert answer.status == 201, answer.body
        return answer.json()

    def complete(self, video, value=None):
        return call("POST", f"{self.api}/videos/{video}/complete", value or {}, self.token)

    def objects(self):
        return self.origin.dir / "data" / "objects"

    def source(self, video):
        """The file that is there, or None."""
        folder = self.objects() / "uploads" / video
        files = [path for path in folder.iterdir() if path.is_file()] if folder.exists() else []
        assert len(files) <= 1, files
        return files[0] if files else None

    def assert_whole(self, video, body):
        assert self.complete(video).status == 202
        stored = self.source(video).read_bytes()
        assert hashlib.sha256(stored).digest() == hashlib.sha256(body).digest()

    def file(self, body, name="clip.mp4"):
        path = self.lab.dir / name
        path.write_bytes(body)
        return path

    def s3(self, method, target, body=b"", more=()):
        """A request as a tool with the key sends it; `more` are fields that are not signed."""
        path, _, query = target.partition("?")
        moment = datetime.datetime.now(datetime.timezone.utc).strftime("%Y%m%dT%H%M%SZ")
        scope = f"{moment[:8]}/here/s3/aws4_request"
        fields = {"host": f"127.0.0.1:{self.origin.port}", "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
                  "x-amz-date": moment}
        pairs = sorted(urllib.parse.parse_qsl(query, keep_blank_values=True))
        canonical = "\n".join([method, path, urllib.parse.urlencode(pairs, quote_via=urllib.parse.quote),
                               *(f"{name}:{value}" for name, value in fields.items()), "", ";".join(fields),
                               "UNSIGNED-PAYLOAD"])
        key = ("AWS4" + self.secret).encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        text = f"AWS4-HMAC-SHA256\n{moment}\n{scope}\n{hashlib.sha256(canonical.encode()).hexdigest()}"
        signature = hmac.new(key, text.encode(), "sha256").hexdigest()
        del fields["host"]
        fields["Authorization"] = (f"AWS4-HMAC-SHA256 Credential={self.key_id}/{scope}, "
                                   f"SignedHeaders=host;{';'.join(fields)}, Signature={signature}")
        return get(self.origin.url + target, method, [*fields.items(), *more], body)

    # ---- tools --------------------------------------------------------------------------

    def run(self, *command, env=(), ok=True):
        result = subprocess.run([str(part) for part in command], capture_output=True, text=True,
                                timeout=100, env={**os.environ, "HOME": str(self.lab.dir), **dict(env)})
        assert not ok or result.returncode == 0, f"{command}: {result.stdout[-2000:]} {result.stderr[-2000:]}"
        return result

    def rclone(self, endpoint, *command, ok=True):
        config = self.lab.dir / f"rclone-{self.key_id}.conf"
        config.write_text(f"[forebay]\ntype = s3\nprovider = Other\nendpoint = {endpoint}\n"
                          f"access_key_id = {self.key_id}\nsecret_access_key = {self.secret}\n"
                          f"force_path_style = true\n")
        return self.run("rclone", "--config", config, *command, ok=ok, env={"AWS_CA_BUNDLE": ""})

    def s3cmd(self, endpoint, *command, ok=True):
        config = self.lab.dir / f"s3cfg-{self.key_id}"
        host = endpoint.removeprefix("http://")
        config.write_text(f"[default]\naccess_key = {self.key_id}\nsecret_key = {self.secret}\n"
                          f"host_base = {host}\nhost_bucket = {host}\nuse_https = False\n")
        return self.run("s3cmd", "-c", config, "--no-progress", *command, ok=ok)

    def aws(self, endpoint, *command, ok=True, **env):
        return self.run("/usr/bin/aws", "--endpoint-url", endpoint, *command, ok=ok, env={
            "AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": str(self.lab.dir / "aws-config"), **env})
