// usage: node packaging.mjs MODULES_DIR PAGE_URL HLS_URL DASH_URL ON_DEMAND_URL WATCH_URL SHOTS_DIR
//
// hls.js, Shaka and dash.js in headless Chromium on one video: they play it, switch its
// sound and its subtitles, and find the storyboard's tiles; so does the watch page. The video is red for its first
// half and blue for the second, has sound in English and German, and subtitles that say
// their language and their second.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, pageUrl, hls, dash, onDemand, watchUrl, shots] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const WAIT = { timeout: 60000, polling: 50 };
const flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu",
    "--mute-audio", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run"];

const state = (page) => page.evaluate(() => {
    const video = document.querySelector("video");
    return { time: video.currentTime, duration: video.duration, ready: video.readyState,
        error: video.error?.message ?? null, showing: window.showing?.(), heard: window.api?.heard(),
        sound: video.webkitAudioDecodedByteCount, faults: window.playerErrors };
});

async function until(page, what, condition, argument) {
    try {
        await page.waitForFunction(condition, argument, WAIT);
    } catch {
        throw new Error(`gave up waiting until ${what}: ${JSON.stringify(await state(page))}`);
    }
}

const near = (colour, red, blue) => Math.abs(colour[0] - red) < 60 && Math.abs(colour[2] - blue) < 60;

async function seek(page, time) {
    await page.evaluate((to) => { document.querySelector("video").currentTime = to; }, time);
    await until(page, `it is at ${time} s`, (to) => {
        const video = document.querySelector("video");
        return !video.seeking && video.readyState >= 3 && Math.abs(video.currentTime - to) < 2.5;
    }, time);
}

async function checkTiles(page, tileAt) {
    for (const [time, red, blue] of [[1, 255, 0], [5.1, 255, 0], [6.9, 0, 255], [11, 0, 255]]) {
        const tile = await tileAt(time);
        assert.ok(tile, `a tile at ${time} s`);
        const colour = await page.evaluate((one) => window.colour(one), tile);
        assert.ok(near(colour, red, blue), `at ${time} s: ${colour}, tile ${JSON.stringify(tile)}`);
    }
}

async function play(browser, player, url) {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const asked = [];
    const ranges = []; // of whole files
    page.on("request", (request) => {
        asked.push(request.url());
        if (request.url().endsWith("/whole.mp4")) ranges.push(request.headers().range);
    });
    await page.goto(`${pageUrl}?player=${player}&url=${encodeURIComponent(url)}`);
    await page.evaluate(() => Promise.race([window.ready,
        new Promise((_, reject) => { setTimeout(reject, 60000, new Error(`never ready: ${window.playerErrors}`)); })]));
    assert.deepEqual((await page.evaluate(() => window.api.sounds())).sort(), ["de", "en"], "languages of sound");
    assert.deepEqual((await page.evaluate(() => window.api.texts())).sort(), ["de", "en", "fr"], "languages of text");

    await page.evaluate(() => document.querySelector("video").play());
    await until(page, "it plays", () => document.querySelector("video").currentTime > 0.5);
    await page.evaluate(() => window.api.hear("de"));
    await until(page, "the German sound is on", () => window.api.heard() === "de");
    for (const lang of ["de", "fr"]) {
        await page.evaluate((one) => window.api.read(one), lang);
        await until(page, `subtitles in ${lang} are on`, (one) => {
            const video = document.querySelector("video");
            if (video.paused || video.ended || video.currentTime > 10) {
                video.currentTime = 1;
                video.play();
            }
            const said = /^(\w\w) (\d+)/.exec(window.showing());
            return said && said[1] === one && Math.abs(Number(said[2]) + 0.5 - video.currentTime) < 1;
        }, lang);
    }
    await seek(page, 9);
    const before = (await state(page)).sound;
    await until(page, "there is sound after the seek",
        (was) => document.querySelector("video").webkitAudioDecodedByteCount > was, before);
    const isOnDemand = url.includes("/ondemand.mpd");
    assert.ok(asked.some((one) => one.includes(isOnDemand ? "/a/1/whole.mp4" : "/a/1/seg-")), "the German sound was fetched");
    assert.ok(ranges.every((one) => /^bytes=\d+-\d+$/.test(one)), `pieces of whole files: ${ranges}`);
    assert.equal(ranges.length > 0, isOnDemand, "whole files, for who plays on demand alone");
    if (player !== "hls") await checkTiles(page, (time) => page.evaluate((at) => window.api.tile(at), time));
    const end = await state(page);
    assert.ok(Math.abs(end.duration - 12) < 0.1, `lasts ${end.duration} s`);
    assert.deepEqual(end.faults, [], "the player met faults");
    await page.close();
    console.log(`${player} plays ${new URL(url).pathname.split("/").pop()}`);
}

// The menus and the scrub bar of the watch page.
async function watch(browser) {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    await page.goto(watchUrl);
    await until(page, "the menus are there", () => document.getElementById("sound").options.length === 2
        && document.getElementById("text").options.length === 4 && document.querySelector("video").readyState >= 2);
    const names = await page.evaluate(() => ["sound", "text"].map((name) =>
        [...document.getElementById(name).options].map((option) => option.textContent)));
    assert.deepEqual(names, [["English", "Deutsch"], ["Off", "English", "Deutsch", "Français"]]);
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    await page.evaluate(() => document.querySelector("video").play());
    await page.selectOption("#sound", { label: "Deutsch" });
    await page.selectOption("#text", { label: "Français" });
    await until(page, "French subtitles are on", () => [...document.querySelector("video").textTracks]
        .some((track) => track.mode === "showing" && [...track.activeCues].some((cue) => cue.text.startsWith("fr "))));
    await until(page, "the bar follows", () => Number(document.getElementById("scrub").value) > 0.5);
    assert.ok(asked.some((one) => one.includes("/a/1/")), "the German sound was fetched");

    const box = await page.locator("#scrub").boundingBox();
    for (const [share, tile] of [[0.2, 1], [0.8, 4]]) { // tiles of two seconds
        await page.mouse.move(box.x + box.width * share, box.y + box.height / 2);
        await until(page, "the preview is there", () => !document.getElementById("preview-picture").hidden
            && !document.getElementById("preview").hidden);
        const at = await page.evaluate(() => document.getElementById("preview-picture").style.backgroundPosition);
        assert.equal(at, `${-160 * tile % 800 || 0}px 0px`, `the tile at ${share}`);
    }
    await page.screenshot({ path: path.join(shots, "scrub.png") });
    await page.mouse.click(box.x + box.width * 0.8, box.y + box.height / 2);
    await until(page, "it went where the bar says", () => Math.abs(document.querySelector("video").currentTime - 9.6) < 2);
    await page.close();
    console.log("the watch page switches and scrubs");
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: flags });
try {
    await Promise.all([play(browser, "hls", hls), play(browser, "shaka", hls), play(browser, "shaka", dash),
        play(browser, "dash", dash), watch(browser)]);
    await Promise.all([play(browser, "shaka", onDemand), play(browser, "dash", onDemand)]);
} finally {
    await browser.close();
}
