"""Plans for scenarios: what an origin would make of its catalogue, signed by the openssl command.

    maker = PlanMaker(lab.dir)                  # a key pair of its own
    plan = maker.plan([entry("/v/1.m4s", body)], serial=1)
    plan.publish(origin)                        # under docs/plans.md's paths
"""
import base64
import hashlib
import json
import subprocess
import time


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def entry(path, body, reason="demand", **more):
    """`more` goes over what is right."""
    return {"path": path, "size": len(body), "sha256": hashlib.sha256(body).hexdigest(),
            "value": len(body), "reason": reason, **more}


class Plan:
    def __init__(self, region, head, body):
        self.region, self.head, self.body = region, head, body
        self.digest = hashlib.sha256(body).hexdigest()

    def publish(self, origin, region=None, max_age=0):
        """As the newest of `region`."""
        region = region or self.region
        origin.put(f"/internal/v1/plans/{region}", self.head, etag=f'"{hash(self.head)}"',
                   headers={"Content-Type": "application/jose",
                            "Cache-Control": f"max-age={max_age}"})
        origin.put(f"/internal/v1/plans/{region}/{self.digest}", self.body,
                   headers={"Content-Type": "application/x-ndjson",
                            "Cache-Control": "max-age=31536000, immutable"})


class PlanMaker:
    def __init__(self, folder, name="plan"):
        self.private, self.public = folder / f"{name}.key", folder / f"{name}.pem"
        subprocess.run(["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout",
                        "-out", self.private], check=True, capture_output=True)
        subprocess.run(["openssl", "ec", "-in", self.private, "-pubout", "-out", self.public],
                       check=True, capture_output=True)

    def sign(self, claims):
        text = ".".join(base64url(json.dumps(part).encode())
                        for part in ({"alg": "ES256", "kid": "plan"}, claims))
        der = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.private],
                             input=text.encode(), capture_output=True, check=True).stdout
        # SEQUENCE { INTEGER r, INTEGER s } as two numbers of 32 bytes
        r_len = der[3]
        r, s = der[4:4 + r_len], der[6 + r_len:]
        return f"{text}.{base64url(r[-32:].rjust(32, bytes(1)) + s[-32:].rjust(32, bytes(1)))}"

    def plan(self, entries, serial, region="de-south", made=None, until=None, **more):
        """`more` goes over what the head says of the body."""
        body = b"".join(json.dumps(one, separators=(",", ":")).encode() + b"\n" for one in entries)
        head = {"format": "forebay-plan/1", "region": region, "serial": serial,
                "made": round((made or time.time()) * 1000), "entries": len(entries),
                "bytes": len(body), "sha256": hashlib.sha256(body).hexdigest(), **more}
        if until:
            head["until"] = round(until * 1000)
        return Plan(region, self.sign(head).encode(), body)
