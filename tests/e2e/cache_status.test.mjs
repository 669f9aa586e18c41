// usage: node --test cache_status.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytes, duration, parseCacheStatus } from "../../origin/web/cache_status.js";

test("the tier nearest the player comes first", () => {
    const tiers = parseCacheStatus("regional-1; hit; ttl=86400, edge-1; fwd=uri-miss; stored");
    assert.deepEqual(tiers, [
        { node: "edge-1", hit: false, words: "miss: not held" },
        { node: "regional-1", hit: true, words: "hit, fresh for 1 day" },
    ]);
});

test("marks inside quoted strings separate nothing", () => {
    const [tier] = parseCacheStatus('"box; 1, \\"a\\""; fwd=stale; detail="one, two; three"');
    assert.equal(tier.node, 'box; 1, "a"');
    assert.equal(tier.words, "miss: too old, asked again, one, two; three");
});

test("nothing said means no tiers", () => {
    assert.deepEqual(parseCacheStatus(""), []);
    assert.deepEqual(parseCacheStatus(null), []);
});

test("sizes and durations read like speech", () => {
    assert.deepEqual([bytes(0), bytes(999), bytes(1234), bytes(5e6)],
        ["0 bytes", "999 bytes", "1.2 kB", "5.0 MB"]);
    assert.deepEqual([duration(1), duration(90), duration(31536000), duration(0), duration(-3)],
        ["1 second", "1 minute", "365 days", "0 seconds", "-3 seconds"]);
});
