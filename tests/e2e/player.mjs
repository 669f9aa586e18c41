// usage: node player.mjs MODULES_DIR WATCH_URL DASH_PAGE_URL SHOTS_DIR NODE...
//
// Plays the same video twice in headless Chromium: hls.js on the watch page, and
// dash.js on the MPD. NODE... are the caches that must show in Cache-Status.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, watchUrl, dashUrl, shots, ...nodes] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const SEGMENT_S = 4;
const WAIT = { timeout: 60000, polling: 100 };

const flags = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu",
    "--mute-audio", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-first-run"];

async function open(browser, url, options) {
    // The edge's certificate is signed by nobody whom the browser knows.
    const page = await browser.newPage({ ignoreHTTPSErrors: true, ...options });
    page.faults = [];
    page.on("pageerror", (error) => page.faults.push(`exception: ${error.message}`));
    page.on("console", (line) => { if (line.type() === "error") page.faults.push(line.text()); });
    await page.goto(url);
    return page;
}

const state = (page) => page.evaluate(() => {
    const video = document.querySelector("video");
    return {
        time: video.currentTime, duration: video.duration, height: video.videoHeight,
        error: video.error?.message ?? null, ready: video.readyState, paused: video.paused,
        frames: video.getVideoPlaybackQuality().totalVideoFrames,
        sound: video.webkitAudioDecodedByteCount, faults: window.playerErrors ?? [],
        notice: document.getElementById("notice")?.textContent ?? "",
    };
});

// Waits for a condition on the page; tells the player's state when it never comes.
async function until(page, what, condition, argument) {
    try {
        await page.waitForFunction(condition, argument, WAIT);
    } catch {
        throw new Error(`gave up waiting until ${what}: ${JSON.stringify(await state(page))}`
            + ` ${page.faults.join("; ")}`);
    }
}

// Plays, at twice the speed, over two borders between segments.
async function playOverBorders(page) {
    await until(page, "the video has data", () => document.querySelector("video").readyState >= 2);
    await page.evaluate(() => {
        const video = document.querySelector("video");
        video.playbackRate = 2;
        window.jumps = [];
        let last = video.currentTime, lastAt = performance.now();
        video.addEventListener("timeupdate", () => {
            // A busy machine tells of it late, but then more time has passed too.
            const may = 0.5 + video.playbackRate * (performance.now() - lastAt) / 1000;
            if (video.currentTime - last > may || video.currentTime < last) {
                window.jumps.push([last, video.currentTime]);
            }
            [last, lastAt] = [video.currentTime, performance.now()];
        });
        return video.play();
    });
    const from = (await state(page)).time;
    await until(page, "two borders between segments are behind",
        (time) => document.querySelector("video").currentTime > time, from + 2 * SEGMENT_S + 0.5);
    assert.deepEqual(await page.evaluate(() => window.jumps), [], "playback jumped");
}

async function healthy(page, seconds) {
    const now = await state(page);
    assert.equal(now.error, null);
    assert.ok(now.frames > 100, `only ${now.frames} frames were decoded`);
    assert.ok(now.sound > 0, "no sound was decoded");
    assert.ok(Math.abs(now.duration - seconds) < 0.3, `the video lasts ${now.duration} s`);
    const faults = now.faults.filter((fault) => !fault.includes("bufferStalledError"));
    assert.deepEqual(faults, [], "the player met errors");
    assert.deepEqual(page.faults, [], "the page met errors");
}

async function choose(page, height) {
    const value = await page.$$eval("#quality option", (options, name) =>
        options.find((option) => option.textContent.startsWith(name))?.value, `${height}p`);
    assert.ok(value !== undefined, `no quality ${height}p to choose`);
    await page.selectOption("#quality", value);
    await until(page, `${height}p shows`, (wanted) =>
        document.querySelector("video").videoHeight === wanted
        && document.getElementById("playing").textContent.includes(`${wanted}p`), height);
}

async function watchPage(browser) {
    const page = await open(browser, watchUrl, { viewport: { width: 1100, height: 1050 } });
    await playOverBorders(page);
    await page.evaluate(() => {
        const video = document.querySelector("video");
        video.playbackRate = 1;
        video.currentTime = 0;
        video.loop = true; // on a busy machine it is over before a quality shows
    });
    await choose(page, 240);
    await choose(page, 480);
    await healthy(page, Number(process.env.CLIP_SECONDS));
    const said = await page.textContent("#cache-status");
    for (const node of nodes) assert.ok(said.includes(node), `${node} is not in "${said}"`);
    const rows = await page.$$eval("#tiers th", (cells) => cells.map((cell) => cell.textContent));
    assert.deepEqual(rows, nodes, "the tiers are listed, the nearest first");
    await page.screenshot({ path: path.join(shots, "watch.png"), fullPage: true });
    await page.focus("video");
    for (let i = 0; i < 20 && !(await page.$("#quality:focus")); i++) await page.keyboard.press("Tab");
    assert.ok(await page.$("#quality:focus"), "the quality cannot be reached by keyboard");
    await page.emulateMedia({ colorScheme: "dark" });
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `the page is ${wide} pixels wide on a narrow screen`);
    await page.screenshot({ path: path.join(shots, "watch-narrow.png"), fullPage: true });
    await page.close();
}

async function secondViewer(browser) {
    const page = await open(browser, watchUrl); // with a cache of its own
    await until(page, "a second viewer is served by the nearest tier", (node) =>
        document.getElementById("answered").textContent.startsWith(node), nodes[0]);
    await page.close();
}

async function unknownVideo(browser) {
    const page = await browser.newPage();
    await page.goto(watchUrl.replace(/(?<=watch\/)./, (c) => (c === "a" ? "b" : "a")));
    await page.waitForSelector("#notice.bad", { timeout: 20000 });
    assert.match(await page.textContent("#notice"), /no such video/);
    await page.close();
}

async function dashPage(browser) {
    const page = await open(browser, dashUrl);
    await playOverBorders(page);
    await page.evaluate(() => { document.querySelector("video").currentTime = 0; });
    for (const height of [240, 480]) {
        await page.evaluate((wanted) => window.showHeight(wanted), height);
        await until(page, `dash.js shows ${height} lines`,
            (wanted) => document.querySelector("video").videoHeight === wanted, height);
    }
    await healthy(page, Number(process.env.CLIP_SECONDS));
    await page.close();
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: flags });
let failed = 0;
for (const test of [watchPage, secondViewer, unknownVideo, dashPage]) {
    const began = Date.now();
    try {
        await test(browser);
        console.log(`  ok      ${test.name} (${((Date.now() - began) / 1000).toFixed(1)} s)`);
    } catch (error) {
        failed++;
        console.log(`  FAILED  ${test.name}: ${error.stack}`);
    }
}
await browser.close();
process.exit(failed ? 1 : 0);
