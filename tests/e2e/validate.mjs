// usage: node validate.mjs MODULES_DIR FOLDER
//
// A published folder as others' parsers read it: hls-parser (strict) and mpd-parser agree
// on what there is to play, and mp4box finds in every segment what they say.
import assert from "node:assert/strict";
import fs from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, folder] = process.argv.slice(2);
const require = createRequire(path.join(modules, "index.js"));
const HLS = require("hls-parser");
const mpd = require("mpd-parser");
const { createFile, MP4BoxBuffer } = require("mp4box");

const read = (name) => fs.readFileSync(path.join(folder, name), "utf8");
const near = (a, b, within, what) => assert.ok(Math.abs(a - b) <= within, `${what}: ${a} and ${b}`);
const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
HLS.setOptions({ strictMode: true, silent: true });

function mediaPlaylist(name) {
    const list = HLS.parse(read(name));
    assert.ok(!list.isMasterPlaylist && list.endlist && list.playlistType === "VOD", name);
    for (const segment of list.segments) {
        assert.ok(fs.existsSync(path.join(folder, path.dirname(name), segment.uri)), segment.uri);
        assert.ok(Math.round(segment.duration) <= list.targetDuration, `${name}: ${segment.duration}`);
    }
    return list;
}

// Samples of a track's init and segments, as mp4box counts them.
function boxes(dir, list) {
    const file = createFile();
    let info = null, at = 0;
    file.onReady = (ready) => { info = ready; };
    file.onError = (where, what) => assert.fail(`${dir}: ${where} ${what}`);
    for (const name of ["init.mp4", ...list.segments.map((segment) => segment.uri)]) {
        const bytes = fs.readFileSync(path.join(folder, dir, name));
        const buffer = MP4BoxBuffer.fromArrayBuffer(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), at);
        at += bytes.length;
        file.appendBuffer(buffer);
    }
    file.flush();
    assert.ok(info?.isFragmented, `${dir} is fragmented`);
    assert.equal(info.tracks.length, 1, `${dir} has one track`);
    assert.equal(file.moofs.length, list.segments.length, `${dir} has a fragment for each segment`);
    const samples = file.getTrackSamplesInfo(info.tracks[0].id);
    return { info, samples, seconds: sum(samples.map((one) => one.duration)) / samples[0].timescale };
}

function rate(dir, list) {
    const bits = list.segments.map((segment) => 8 * fs.statSync(path.join(folder, dir, segment.uri)).size);
    return sum(bits) / sum(list.segments.map((segment) => segment.duration));
}

const master = HLS.parse(read("master.m3u8"));
assert.ok(master.isMasterPlaylist && master.independentSegments);
const streams = master.variants.filter((variant) => !variant.isIFrameOnly);
const iframes = master.variants.filter((variant) => variant.isIFrameOnly);
assert.ok(streams.length > 0);
let heaviest = 0;
for (const audio of streams[0].audio) {
    const list = mediaPlaylist(audio.uri);
    const dir = path.dirname(audio.uri);
    heaviest = Math.max(heaviest, rate(dir, list));
    const { info, seconds } = boxes(dir, list);
    assert.ok(streams[0].codecs.includes(info.tracks[0].codec), info.tracks[0].codec);
    near(seconds, sum(list.segments.map((segment) => segment.duration)), 0.001, `${dir} lasts`);
}
let heaviestText = 0;
for (const text of streams[0].subtitles) {
    const list = mediaPlaylist(text.uri);
    heaviestText = Math.max(heaviestText, rate(path.dirname(text.uri), list));
    for (const segment of list.segments) {
        assert.match(read(path.join(path.dirname(text.uri), segment.uri)), /^WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00\.000\n/);
    }
}
for (const stream of streams) {
    const dir = path.dirname(stream.uri);
    const list = mediaPlaylist(stream.uri);
    const { info, samples, seconds } = boxes(dir, list);
    assert.equal(info.tracks[0].codec, stream.codecs.split(",")[0]);
    assert.deepEqual([info.tracks[0].video.width, info.tracks[0].video.height], [stream.resolution.width, stream.resolution.height]);
    near(seconds, sum(list.segments.map((segment) => segment.duration)), 0.001, `${dir} lasts`);
    near(samples.length / seconds, stream.frameRate, 0.01, `${dir} has pictures a second`);
    near(stream.averageBandwidth, rate(dir, list) + heaviest + heaviestText, 8, `${dir} takes`);
    assert.ok(stream.bandwidth >= stream.averageBandwidth);
}
for (const iframe of iframes) {
    const dir = path.dirname(iframe.uri);
    const list = mediaPlaylist(iframe.uri);
    assert.ok(list.isIFrame);
    const whole = mediaPlaylist(`${dir}/index.m3u8`);
    assert.equal(list.segments.length, whole.segments.length);
    const { samples } = boxes(dir, whole);
    for (const [n, { uri, byterange }] of list.segments.entries()) {
        const bytes = fs.readFileSync(path.join(folder, dir, uri)).subarray(byterange.offset, byterange.offset + byterange.length);
        const first = samples.find((one) => one.moof_number === n + 1);
        let at = 0;
        while (bytes.toString("latin1", at + 4, at + 8) !== "mdat") at += bytes.readUInt32BE(at);
        assert.ok(first.is_sync, `${uri} begins with a key picture`);
        assert.equal(bytes.length, at + 8 + first.size, `${uri} to the end of its first picture`);
    }
}

const dash = mpd.parse(read("manifest.mpd"), { manifestUri: "http://a.example/manifest.mpd" });
assert.deepEqual(dash.playlists.map((one) => one.attributes.CODECS).sort(), streams.map((one) => one.codecs.split(",")[0]).sort());
assert.deepEqual(dash.playlists.map((one) => one.segments.length), streams.map((one) => mediaPlaylist(one.uri).segments.length));
const groups = dash.mediaGroups;
assert.equal(Object.keys(groups.AUDIO.audio ?? {}).length, streams[0].audio.length, "tracks of sound");
assert.equal(Object.keys(groups.SUBTITLES.subs ?? {}).length, streams[0].subtitles.length, "tracks of text");

// Each representation as the one file that delivery makes of it: its index leads to every fragment.
const onDemand = mpd.parse(read("ondemand.mpd"), { manifestUri: "http://a.example/ondemand.mpd" });
const indexed = [...onDemand.playlists, ...Object.values(onDemand.mediaGroups.AUDIO.audio ?? {}).flatMap((one) => one.playlists)];
assert.equal(indexed.length, dash.playlists.length + streams[0].audio.length);
for (const { sidx } of indexed) {
    const dir = path.dirname(new URL(sidx.resolvedUri).pathname).slice(1);
    const segments = fs.readdirSync(path.join(folder, dir)).filter((name) => name.startsWith("seg-")).sort();
    const bytes = Buffer.concat(["init.mp4", "index.sidx", ...segments].map((name) => fs.readFileSync(path.join(folder, dir, name))));
    const file = createFile();
    file.appendBuffer(MP4BoxBuffer.fromArrayBuffer(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length), 0));
    file.flush();
    const [box] = file.boxes.filter((one) => one.type === "sidx");
    assert.deepEqual([box.start, box.size], [sidx.byterange.offset, sidx.byterange.length], `${dir}: where the index lies`);
    assert.equal(sidx.map.byterange.length, fs.statSync(path.join(folder, dir, "init.mp4")).size, `${dir}: its init`);
    assert.deepEqual([box.reference_ID, box.references.length], [file.getInfo().tracks[0].id, segments.length], dir);
    let at = box.start + box.size + box.first_offset, time = box.earliest_presentation_time;
    for (const [n, one] of box.references.entries()) {
        const [moof] = file.moofs.filter((other) => other.start >= at && other.start < at + one.referenced_size);
        assert.equal(moof, file.moofs[n], `${dir}: segment ${n + 1} is where the index says`);
        assert.equal(moof.trafs[0].tfdt.baseMediaDecodeTime, time, `${dir}: and when`);
        assert.deepEqual([one.reference_type, one.starts_with_SAP, one.SAP_type], [0, 1, 1]);
        at += one.referenced_size;
        time += one.subsegment_duration;
    }
    assert.equal(at, bytes.length, `${dir}: the index leads to the end`);
}
console.log(`${folder}: ${streams.length} renditions, ${streams[0].audio.length} sounds, ${streams[0].subtitles.length} texts, ${iframes.length} of key pictures`);
