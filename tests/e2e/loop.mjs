// usage: node loop.mjs MODULES_DIR ORIGIN_URL SHOTS_DIR EDGE      (a JSON object on stdin)
//
// The loop of signals in headless Chromium: somebody watches a video, and the view comes to the
// origin; he logs in, likes it and follows its creator, and what trends changes before his eyes;
// the next video, which EDGE filled by plan, begins with a hit. Stdin has `watched` and `planned`
// (videos), `reader` (email, password), `creator` and `fan` (tokens of accounts).
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { text } from "node:stream/consumers";

const [modules, origin, shots, edge] = process.argv.slice(2);
const { watched, planned, reader, creator, fan } = JSON.parse(await text(process.stdin));
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const WAIT = { timeout: 45000, polling: 50 };

const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--mute-audio",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"],
});
// The edge's certificate is signed by nobody whom the browser knows.
const page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 1300 } });
const faults = [], segments = [], beacons = [];
page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
page.on("console", (line) => { if (line.type() === "error") faults.push(line.text()); });
page.on("response", (response) => {
    const { pathname, searchParams } = new URL(response.url());
    if (pathname === "/beacon") beacons.push(response.status());
    if (/\/v\/.*\/seg-/.test(pathname)) {
        segments.push({ pathname, cmcd: searchParams.get("CMCD") ?? "", said: response.headers()["cache-status"] });
    }
});

async function ask(where, token, method = "GET") {
    const headers = { ...(token && { Authorization: `Bearer ${token}` }) };
    const response = await fetch(`${origin}/api/v1/${where}`, { method, headers });
    assert.ok(response.ok, `${method} ${where}: ${response.status}`);
    return response.json();
}

const counts = async (video) => (await ask(`videos/${video}`)).counts;
const total = async (video) => (await ask(`videos/${video}/analytics`, creator)).total;

// Asks until the answer is as it should be; tells the last one when it never is.
async function until(what, isSo, question) {
    const end = Date.now() + WAIT.timeout;
    for (;;) {
        const answer = await question();
        if (isSo(answer)) return answer;
        if (Date.now() > end) throw new Error(`gave up waiting until ${what}: ${JSON.stringify(answer)}`);
        await new Promise((resolve) => setTimeout(resolve, WAIT.polling));
    }
}

const becomes = (id, wanted) => page.waitForFunction(
    ([name, words]) => document.getElementById(name).textContent === words, [id, wanted], WAIT);
const trends = (video) => page.waitForSelector(`#trending li[data-video="${video}"]`, WAIT);

async function watch() {
    await page.waitForFunction(() => document.querySelector("video").readyState >= 2, null, WAIT);
    await page.evaluate(() => document.querySelector("video").play());
    await page.waitForFunction(() => document.querySelector("video").ended, null, WAIT);
}

try {
    // Watched to the end: a view at the origin, by way of edge and regional node.
    assert.equal((await counts(watched)).views, 0);
    await page.goto(`${origin}/watch/${watched}`);
    await page.waitForSelector("#engage", { state: "visible" });
    await page.evaluate(() => { window.isSamePage = true; });
    assert.equal(await page.textContent("#views"), "0 views");
    assert.equal(await page.$(`#trending li[data-video="${watched}"]`), null);
    await watch();
    assert.ok(segments.length > 0 && segments.every(({ cmcd }) => cmcd.includes("sid=")), "no CMCD with a session");
    const ended = Date.now();
    await until("the view is counted", ({ views }) => views === 1, () => counts(watched));
    console.log(`  ok      the view was at the origin ${((Date.now() - ended) / 1000).toFixed(1)} s after the end`);
    assert.ok(beacons.length >= 2 && beacons.every((status) => status === 204), `beacons: ${beacons}`);

    // What trends comes to the page by itself.
    await trends(watched);
    await page.click("#like");
    await page.fill("#email", reader.email);
    await page.fill("#password", reader.password);
    await page.click("#login-form button[value=login]");
    await becomes("like", "Liked · 1");
    await becomes("views", "1 view");
    await page.click("#follow");
    await becomes("follow", "Following");
    assert.equal((await counts(watched)).likes, 1);
    assert.equal(await page.$(`#trending li[data-video="${planned}"]`), null);
    await ask(`videos/${planned}/like`, fan, "PUT");
    await trends(planned);
    assert.ok(await page.evaluate(() => window.isSamePage), "the page was loaded anew");
    await page.screenshot({ path: path.join(shots, "loop.png") });

    // The next one was never asked for, and begins with a hit.
    segments.length = 0;
    await page.click(`#trending li[data-video="${planned}"] a`);
    await page.waitForURL(`**/watch/${planned}**`);
    await becomes("account", "Log out");
    await becomes("follow", "Following");
    await watch();
    assert.ok(segments[0].pathname.includes(planned), segments[0].pathname);
    assert.match(segments[0].said, new RegExp(`(^|, )${edge}; hit`), "the first segment was no hit");
    const sums = await until("its view is counted", ({ views }) => views === 1, () => total(planned));
    assert.equal(sums.sources.trending, 1);
    assert.deepEqual(faults, []);
} finally {
    await browser.close();
}
