// usage: node --test session.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { Session, isOwn } from "../../origin/web/session.js";

const answer = (status, body) => ({ status, ok: status < 300, json: async () => body });
const tokens = (n) => ({ access_token: `a${n}`, refresh_token: `r${n}`, expires_in: 900 });

function storage() {
    const kept = new Map();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text),
        removeItem: (key) => kept.delete(key) };
}

// A server whose access token is good until it is told otherwise.
function server() {
    const fake = { good: "a1", next: 2, asked: [] };
    fake.fetch = async (url, { method, headers, body }) => {
        fake.asked.push(`${method} ${url.replace("/api/v1/", "")}`);
        if (url.endsWith("login")) return answer(200, tokens(1));
        if (url.endsWith("refresh")) {
            const { refresh_token: token } = JSON.parse(body);
            if (token !== `r${fake.next - 1}`) return answer(401, { detail: "Log in again." });
            fake.good = `a${fake.next}`;
            return answer(200, tokens(fake.next++));
        }
        const token = headers.Authorization?.slice(7);
        return token && token !== fake.good ? answer(401, { detail: "expired" }) : answer(200, { token: token ?? null });
    };
    return fake;
}

test("nobody asks without a token, somebody with his", async () => {
    const { fetch } = server();
    const session = new Session(storage(), fetch);
    assert.deepEqual(await session.ask("GET", "x"), { token: null });
    await session.logIn("a@example.org", "password");
    assert.deepEqual(await session.ask("GET", "x"), { token: "a1" });
});

test("requests that meet an old token share one refresh", async () => {
    const fake = server();
    const session = new Session(storage(), fake.fetch);
    await session.logIn("a@example.org", "password");
    fake.good = "another";
    const told = await Promise.all([1, 2, 3].map(() => session.ask("GET", "x")));
    assert.deepEqual(told, [{ token: "a2" }, { token: "a2" }, { token: "a2" }]);
    assert.equal(fake.asked.filter((line) => line.endsWith("refresh")).length, 1);
});

test("a token that is about to expire is not sent", async () => {
    const fake = server();
    let now = 0;
    const session = new Session(storage(), fake.fetch, () => now);
    await session.logIn("a@example.org", "password");
    now = 897_000;
    assert.deepEqual(await session.ask("GET", "x"), { token: "a2" });
});

test("a session that is over is nobody's, and the page is told", async () => {
    const fake = server();
    const session = new Session(storage(), fake.fetch);
    let changes = 0;
    session.onChange = () => { changes++; };
    await session.logIn("a@example.org", "password");
    Object.assign(fake, { good: "another", next: 9 });
    assert.deepEqual(await session.ask("GET", "x"), { token: null });
    assert.equal(session.isOpen, false);
    assert.equal(changes, 2);
});

test("a session outlives the page but not the logging out", async () => {
    const kept = storage();
    const fake = server();
    await new Session(kept, fake.fetch).logIn("a@example.org", "password");
    const next = new Session(kept, fake.fetch);
    assert.deepEqual(await next.ask("GET", "x"), { token: "a1" });
    await next.logOut();
    assert.equal(new Session(kept, fake.fetch).isOpen, false);
});

test("what the server says is what people read", async () => {
    const session = new Session(storage(), async () => answer(422, { detail: "'text' must not be empty" }));
    await assert.rejects(session.ask("POST", "x", {}), /must not be empty/);
    const cut = new Session(storage(), async () => { throw new TypeError("network"); });
    await assert.rejects(cut.ask("GET", "x"), /cannot be reached/);
});

test("a playlist that names the same path elsewhere is not told who is logged in", () => {
    const [here, path] = ["https://origin.example/watch/x", "/api/v1/videos/x/manifest"];
    for (const url of [path, `${path}?CMCD=a`, `https://origin.example${path}`]) assert.equal(isOwn(url, path, here), true, url);
    for (const url of [`https://edge.example${path}`, `//edge.example${path}`, `http://origin.example${path}`,
        `https://origin.example:8443${path}`, `https://origin.example@edge.example${path}`, "/media/x"]) {
        assert.equal(isOwn(url, path, here), false, url);
    }
});
