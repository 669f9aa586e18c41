// usage: node --test progress.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { eventsOf } from "../../origin/web/events.js";
import { follow } from "../../origin/web/progress.js";
import { Refusal, Session } from "../../origin/web/session.js";

// Nobody waits here: the network comes back at once.
globalThis.addEventListener = (_, back) => queueMicrotask(back);
globalThis.removeEventListener = () => {};

const body = (...pieces) => new ReadableStream({ start(controller) {
    for (const piece of pieces) controller.enqueue(new TextEncoder().encode(piece));
    controller.close();
} });

async function all(events) {
    const found = [];
    for await (const event of events) found.push(event);
    return found;
}

test("events are whole, however they come", async () => {
    const pieces = [": beat\n\nevent: status\nda", "ta: {\"a\":\ndata: 1}\n", "\ndata:2\r\n\r\ndata: [\"ü", "\"]\n\ndata: 4\n"];
    assert.deepEqual(await all(eventsOf(body(...pieces))), [{ a: 1 }, 2, ["ü"]], "the last one has no end");
});

// A server that answers each request for a stream with the next of these: states, or a failure behind them.
function server(...answers) {
    return {
        async *events() {
            const { states = [], failure } = answers.shift();
            yield* states;
            if (failure) throw failure;
        },
    };
}

test("who follows hears the end, whatever the network does", async () => {
    const session = server({ states: [1], failure: new Refusal(0) }, { failure: new Refusal(503) }, { states: [2] },
        { states: [3, 4] });
    const told = [], lost = [];
    await follow(session, "videos/x", (state) => { told.push(state); return state === 3; }, { lost: (is) => lost.push(is) });
    assert.deepEqual(told, [1, 2, 3]);
    assert.deepEqual(lost, [false, true, true, false, false]);
});

test("what is not there is told once, and what is refused is an error", async () => {
    const told = [];
    await follow(server({ failure: new Refusal(404) }), "videos/x", (state) => told.push(state));
    assert.deepEqual(told, [null]);
    await assert.rejects(follow(server({ failure: new Refusal(403, "This is not yours.") }), "videos/x", () => {}), /not yours/);
});

test("whoever has enough is told nothing more", async () => {
    const enough = new AbortController();
    const told = [];
    await follow(server({ states: [1] }, {}), "videos/x", (state) => { told.push(state); enough.abort(); }, enough);
    assert.deepEqual(told, [1]);
});

test("streams bear the token of the session", async () => {
    const asked = [];
    const storage = { getItem: () => JSON.stringify({ access: "a1", refresh: "r1", expires: Date.now() + 900_000 }) };
    const session = new Session(storage, async (url, { headers }) => {
        asked.push(`${url} ${headers.Authorization}`);
        return { ok: true, status: 200, body: body("data: null\n\n") };
    });
    assert.deepEqual(await all(session.events("videos/x/status/stream")), [null]);
    assert.deepEqual(asked, ["/api/v1/videos/x/status/stream Bearer a1"]);
});
