// usage: node studio.mjs MODULES_DIR ORIGIN_URL CLIP SHOTS_DIR
//
// In headless Chromium: a creator registers in the studio, uploads CLIP (two languages of sound and of
// subtitles) in parts with Uppy, sees how far it is, goes to the watch page, plays it, takes another
// sound and subtitles, looks at the storyboard, and deletes the video.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, origin, clip, shots] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");

const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run",
        "--autoplay-policy=no-user-gesture-required"],
});
const page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 1400 } });
const faults = [];
const requests = [];
page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
page.on("console", (line) => { if (line.type() === "error") faults.push(line.text()); });
page.on("request", (request) => requests.push(`${request.method()} ${new URL(request.url()).search}`));

const until = (what, ...given) => page.waitForFunction(what, given, { polling: 50, timeout: 60000 });

try {
    await page.goto(`${origin}/studio`);
    await page.fill("#email", `creator-${process.pid}@example.org`);
    await page.fill("#password", "correct horse battery");
    await page.click("#enter button[value=register]");
    await page.waitForSelector("#none", { state: "visible" });
    assert.equal(await page.isVisible("#enter"), false, "who is in is asked to log in");

    await page.setInputFiles("#file", clip);
    assert.equal(await page.inputValue("#name"), path.basename(clip).replace(/\.[^.]*$/, ""));
    await page.fill("#name", "Two languages");
    await page.evaluate(() => { // what the page says of the video, as it goes on
        window.said = [];
        new MutationObserver(() => {
            const text = document.querySelector("#mine .state")?.textContent;
            if (text && window.said.at(-1) !== text) window.said.push(text);
        }).observe(document.getElementById("mine"), { subtree: true, childList: true, characterData: true });
    });
    await page.selectOption("#privacy", "private"); // he alone can watch it
    await page.click("#send");
    await until(() => ["ready", "failed"].some((word) => document.querySelector("#mine .state")?.textContent.startsWith(word)));
    const said = await page.evaluate(() => window.said);
    assert.equal(said.at(-1), "ready", said.join("; "));
    for (const [words, least] of [["uploading: ", 2], ["is being prepared: ", 1]]) {
        const shares = said.filter((text) => text.startsWith(words)).map((text) => parseInt(text.slice(words.length), 10));
        assert.ok(shares.length >= least, `${words}: ${said.join("; ")}`);
        assert.deepEqual(shares, [...shares].sort((a, b) => a - b), "it ran backwards");
    }
    assert.ok(requests.filter((request) => /^PUT .*partNumber=/.test(request)).length >= 2, "it did not go in parts");
    await page.screenshot({ path: path.join(shots, "studio.png") });

    await page.click("#mine .title");
    await page.waitForURL("**/watch/*");
    await page.evaluate(() => document.getElementById("video").play());
    await until(() => document.getElementById("video").currentTime > 1);
    for (const menu of ["sound", "text"]) await page.waitForSelector(`#${menu}`, { state: "visible" });
    await page.selectOption("#sound", "1");
    await page.selectOption("#text", "1");
    const time = await page.evaluate(() => document.getElementById("video").currentTime);
    await until(([from]) => document.getElementById("video").currentTime > from + 2, time);
    await until(() => [...document.getElementById("video").textTracks].some((track) => track.mode === "showing" && track.cues?.length > 0));
    await page.hover("#scrub");
    await page.waitForSelector("#preview", { state: "visible" });
    await until(() => /url\(/.test(document.getElementById("preview-picture").style.background));
    await page.screenshot({ path: path.join(shots, "studio-watch.png") });
    assert.deepEqual(await page.evaluate(() => window.playerErrors.filter((error) => error.includes("fatal"))), []);

    await page.goto(`${origin}/studio`);
    await page.click("#mine .remove");
    await page.waitForSelector("#none", { state: "visible" });
    assert.deepEqual(faults, []);
} finally {
    await browser.close();
}
