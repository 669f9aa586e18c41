// usage: node train.mjs MODULES_DIR WATCH_URL
//
// A network that goes and comes back, in headless Chromium: the watch page says so, and goes on by itself; so
// it does where media has moved meanwhile.
// Says "cut" and "mend" on a line of its own, and reads one when that is done.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const [modules, watchUrl] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const WAIT = { timeout: 60000, polling: 50 };
const SEGMENT_S = 4;

const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function ask(what) {
    console.log(what);
    assert.equal((await lines.next()).value, "done");
}

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--mute-audio",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"] });
try {
    const page = await browser.newPage({ ignoreHTTPSErrors: true });
    const until = (what, condition, argument) => page.waitForFunction(condition, argument, WAIT).catch(async () => {
        throw new Error(`gave up waiting until ${what}: ${JSON.stringify(await page.evaluate(() => {
            const video = document.querySelector("video");
            return [video.currentTime, video.readyState, document.getElementById("notice").textContent, window.playerErrors];
        }))}`);
    });
    const says = () => /cannot be reached.*goes on by itself/.test(document.getElementById("notice").textContent)
        && !document.getElementById("notice").hidden;
    const isQuiet = () => document.getElementById("notice").hidden;

    // All but the first segments wait for the cut, so that it comes in the middle.
    let release;
    const isCut = new Promise((resolve) => { release = resolve; });
    let isWanted;
    const wanted = new Promise((resolve) => { isWanted = resolve; });
    await page.route(/\/seg-0000[2-9]/, async (route) => {
        isWanted();
        await isCut;
        await route.continue();
    });
    await page.goto(watchUrl);
    await wanted;
    await ask("cut");
    release();
    await until("it says that the network is away", says);
    await page.evaluate(() => document.querySelector("video").play());
    await until("it has played what there is", (end) => {
        const video = document.querySelector("video");
        return video.currentTime > end - 1 && video.readyState < 3;
    }, SEGMENT_S);
    assert.equal(await page.evaluate(() => document.querySelector("video").paused), false);

    // Somebody who comes meanwhile sees the same.
    const late = await browser.newPage({ ignoreHTTPSErrors: true });
    await late.goto(watchUrl);
    await late.waitForFunction(says, undefined, WAIT);

    await ask("mend");
    await until("it goes on by itself", (end) => document.querySelector("video").currentTime > end + 1, SEGMENT_S);
    await until("it says nothing more", isQuiet);
    await late.waitForFunction(() => document.querySelector("video").readyState >= 3, undefined, WAIT);
    await late.waitForFunction(isQuiet, undefined, WAIT);

    // What is gone is asked for again by way of the manifest, once.
    const moved = await browser.newPage({ ignoreHTTPSErrors: true });
    let nManifests = 0;
    moved.on("request", (request) => { nManifests += /\/manifest\?/.test(request.url()) ? 1 : 0; });
    await moved.route(/\/v\/.*\/seg-00002/, (route) => (nManifests < 2
        ? route.fulfill({ status: 404, headers: { "Access-Control-Allow-Origin": "*" } }) : route.continue()));
    await moved.goto(watchUrl);
    await moved.evaluate(() => { document.querySelector("video").play().catch(() => { /* it begins anew */ }); });
    await moved.waitForFunction((end) => document.querySelector("video").currentTime > end + 1, SEGMENT_S, WAIT);
    assert.equal(nManifests, 2, "it did not ask for the way again");

    const fatal = (one) => one.evaluate(() => window.playerErrors.filter((error) => error.includes("fatal")));
    assert.deepEqual([await fatal(page), await fatal(late)], [[], []]);
} finally {
    await browser.close();
    process.stdin.destroy();
}
