"""Clients of S3 that nobody has changed upload to the real origin, also when they are cut."""
import hashlib
import json
import pathlib
import random
import shutil

from lab import BUILD, ROOT, call
from lab_cut import CuttingProxy
from uploader import MIB, Uploader

SEED = 7


def content(size):
    return random.Random(SEED).randbytes(size)


def cuts(n, at_least, at_most):
    dice = random.Random(SEED)
    return [dice.randrange(at_least, at_most) for _ in range(n)]


def test_rclone_uploads_in_parts_over_a_line_that_is_cut(lab):
    ada = Uploader(lab)
    body = content(16 * MIB + 1)
    video = ada.create(len(body))["id"]
    with CuttingProxy(ada.origin.port, cuts(3, 100_000, 4 * MIB)) as proxy:
        ada.rclone(proxy.url, "copyto", "--s3-upload-cutoff", "5M", "--s3-chunk-size", "5M",
                   "--s3-upload-concurrency", "3", "--retries", "5", "--low-level-retries", "10",
                   ada.file(body), f"forebay:upload/{video}/clip.mp4")
        assert proxy.n_cut == 3
    listed = ada.rclone(ada.origin.url, "lsjson", f"forebay:upload/{video}").stdout
    assert [(item["Path"], item["Size"]) for item in json.loads(listed)] == [("clip.mp4", len(body))]
    ada.assert_whole(video, body)


def test_rclone_puts_a_small_file_and_sees_its_own_alone(lab):
    ada = Uploader(lab)
    bob = Uploader(lab, ada.origin, "bob")
    body = content(100_000)
    video = ada.create(len(body))["id"]
    path = ada.file(body)
    ada.rclone(ada.origin.url, "copyto", path, f"forebay:upload/{video}/my clip+ä.mp4")
    again = ada.rclone(ada.origin.url, "copyto", "-v", path, f"forebay:upload/{video}/my clip+ä.mp4")
    assert "0 B / 0 B" in again.stderr  # it is the same, and as old
    listed = ada.rclone(ada.origin.url, "lsf", "-R", "forebay:upload").stdout
    assert sorted(listed.splitlines()) == [f"{video}/", f"{video}/my clip+ä.mp4"]
    assert bob.rclone(ada.origin.url, "lsf", "-R", "forebay:upload").stdout == ""
    stolen = bob.rclone(ada.origin.url, "copyto", "--retries", "1", path,
                        f"forebay:upload/{video}/other.mp4", ok=False)
    assert stolen.returncode != 0 and "404" in stolen.stderr
    ada.assert_whole(video, body)


def test_s3cmd_uploads_in_parts_over_a_line_that_is_cut(lab):
    ada = Uploader(lab)
    body = content(12 * MIB)
    video = ada.create(len(body))["id"]
    with CuttingProxy(ada.origin.port, cuts(1, 100_000, 4 * MIB)) as proxy:
        ada.s3cmd(proxy.url, "put", "--multipart-chunk-size-mb=5", ada.file(body),
                  f"s3://upload/{video}/clip.mp4")
        assert proxy.n_cut == 1
    assert f"s3://upload/{video}/clip.mp4" in ada.s3cmd(ada.origin.url, "ls", "-r", "s3://upload").stdout
    ada.s3cmd(ada.origin.url, "del", f"s3://upload/{video}/clip.mp4")
    assert ada.source(video) is None
    ada.s3cmd(ada.origin.url, "put", "--disable-multipart", ada.file(body), f"s3://upload/{video}/clip.mp4")
    ada.assert_whole(video, body)


def test_the_aws_command_line_uploads_in_parts_over_a_line_that_is_cut(lab):
    ada = Uploader(lab)
    body = content(16 * MIB)
    video = ada.create(len(body))["id"]
    (lab.dir / "aws-config").write_text("[default]\ns3 =\n  multipart_threshold = 5MB\n"
                                        "  multipart_chunksize = 5MB\n  max_concurrent_requests = 3\n")
    with CuttingProxy(ada.origin.port, cuts(2, 100_000, 4 * MIB)) as proxy:
        ada.aws(proxy.url, "s3", "cp", ada.file(body), f"s3://upload/{video}/clip.mp4")
        assert proxy.n_cut == 2
    assert "clip.mp4" in ada.aws(ada.origin.url, "s3", "ls", f"s3://upload/{video}/").stdout
    ada.assert_whole(video, body)


def test_checksums_of_parts_make_one_of_the_file(lab):
    ada = Uploader(lab)
    body = content(5 * MIB + 3)
    video = ada.create(len(body))["id"]
    at = ("--bucket", "upload", "--key", f"{video}/clip.mp4")

    def api(*command):
        answer = ada.aws(ada.origin.url, "s3api", *command).stdout
        return json.loads(answer) if answer else {}

    upload = api("create-multipart-upload", *at, "--checksum-algorithm", "SHA256")["UploadId"]
    parts = []
    for number, part in ((1, body[:5 * MIB]), (2, body[5 * MIB:])):
        made = api("upload-part", *at, "--upload-id", upload, "--part-number", str(number),
                   "--body", ada.file(part, "part"), "--checksum-algorithm", "SHA256")
        parts.append({"PartNumber": number, "ETag": made["ETag"], "ChecksumSHA256": made["ChecksumSHA256"]})
    (lab.dir / "parts.json").write_text(json.dumps({"Parts": parts}))
    done = api("complete-multipart-upload", *at, "--upload-id", upload,
               "--multipart-upload", f"file://{lab.dir}/parts.json")
    assert done["ETag"].endswith('-2"') and done["ChecksumSHA256"].endswith("-2")
    ada.assert_whole(video, body)


def test_a_key_that_was_revoked_or_changed_does_nothing(lab):
    ada = Uploader(lab)
    video = ada.create(3)["id"]
    path = ada.file(b"abc")
    good, ada.secret = ada.secret, "x" * 43
    refused = ada.s3cmd(ada.origin.url, "put", path, f"s3://upload/{video}/clip.mp4", ok=False)
    assert "SignatureDoesNotMatch" in refused.stderr
    ada.secret = good
    assert call("DELETE", f"{ada.api}/upload-keys/{ada.key_id}", token=ada.token).status == 204
    refused = ada.s3cmd(ada.origin.url, "put", path, f"s3://upload/{video}/clip.mp4", ok=False)
    assert "InvalidAccessKeyId" in refused.stderr
    assert ada.source(video) is None


def test_the_sdk_for_javascript_uploads_in_every_way_it_has(lab):
    ada = Uploader(lab)
    body = content(11 * MIB)
    video = ada.create(len(body))["id"]
    folder = pathlib.Path(BUILD) / "s3-sdk"
    shutil.copytree(ROOT / "tests/support/s3_sdk", folder, dirs_exist_ok=True,
                    ignore=shutil.ignore_patterns("node_modules"))
    if not (folder / "node_modules/@aws-sdk/client-s3").exists():
        ada.run("npm", "ci", "--no-progress", "--loglevel=error", "--prefix", folder)
    told = json.loads(ada.run("node", "--no-warnings", folder / "upload.mjs", ada.origin.url, ada.key_id, ada.secret,
                              f"{video}/clip.mp4", ada.file(body)).stdout)
    etag = f'"{hashlib.md5(body).hexdigest()}"'
    assert (told["streamed"], told["put"], told["url"], told["changed"]) == (etag, etag, 200, 403)
    assert told["parts"]["parts"] == told["urls"]["parts"] == 3
    assert told["parts"]["checksum"].endswith("-3") and told["parts"]["etag"] == told["urls"]["etag"]
    assert (told["size"], told["listed"]) == (len(body), [f"{video}/clip.mp4"])
    ada.assert_whole(video, body)
