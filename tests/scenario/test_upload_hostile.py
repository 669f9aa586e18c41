"""Uploads by somebody who means harm: what is another's stays as it is."""
from lab import call, get
from test_upload_parts import PARTS, Parted, code
from uploader import Uploader


def test_a_part_without_a_number_ends_no_upload(lab):
    ada = Uploader(lab)
    bob = Uploader(lab, ada.origin, "bob")
    upload, other = Parted(ada), Parted(bob)
    etags = upload.put_all()
    signed = call("POST", f"{bob.api}/uploads/sign",
                  {"method": "PUT", "key": other.key, "uploadId": upload.upload, "partNumber": 1}, bob.token)
    assert get(signed.json()["url"], "PUT", {}, PARTS[2]).status == 404
    for creator, key in ((bob, other.key), (ada, upload.key)):
        for query in ("partNumber=0&", "partNumber=00&", ""):
            target = f"/upload/{key}?{query}uploadId={upload.upload}"
            answer = creator.s3("PUT", target, PARTS[2])
            assert (answer.status, code(answer)) == (400, "InvalidArgument"), (target, answer.body)
    assert [number for number, _ in upload.listed()] == [1, 2, 3]
    assert upload.join(etags).status == 200


def test_a_request_is_signed_once(lab):
    ada = Uploader(lab)
    video = ada.create(4)["id"]
    target = f"/upload/{video}/clip.mp4"
    for more in ([("Authorization", "Bearer x")], [("x-amz-date", "20260101T000000Z")],
                 [("x-amz-meta-a", "b")]):
        assert ada.s3("PUT", target, b"clip", more=more).status in (400, 403), more
    assert ada.s3("PUT", target + "?X-Amz-Signature=00", b"clip").status == 400
    assert ada.s3("PUT", target, b"clip").status == 200
