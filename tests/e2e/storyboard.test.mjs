// usage: node --test storyboard.test.mjs
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseStoryboard, tileAt } from "../../origin/web/storyboard.js";

const BOARD = `WEBVTT

00:00:00.000 --> 00:00:02.000
s/00001.jpg#xywh=0,0,160,90

00:00:02.000 --> 00:00:04.000
s/00001.jpg#xywh=160,0,160,90

01:00:00.000 --> 01:00:01.500
s/00002.jpg#xywh=0,90,160,90
`;

test("tiles are found by their time", () => {
    const tiles = parseStoryboard(BOARD, "https://edge.example/media/v/1/storyboard.vtt");
    assert.equal(tiles.length, 3);
    assert.deepEqual(tileAt(tiles, 3.9), { begin: 2, end: 4, url: "https://edge.example/media/v/1/s/00001.jpg",
        x: 160, y: 0, width: 160, height: 90 });
    assert.equal(tileAt(tiles, 0), tiles[0]);
    assert.equal(tileAt(tiles, 9999), tiles[2]);
    assert.equal(tiles[2].begin, 3600);
});

test("what is no storyboard has no tiles", () => {
    assert.deepEqual(parseStoryboard("<html>", "https://a.example/"), []);
    assert.equal(tileAt([], 1), undefined);
});
