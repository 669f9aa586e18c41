// usage: node studio.mjs MODULES_DIR ORIGIN_URL CLIP SUBTITLES SHOTS_DIR
//
// In headless Chromium: a creator registers in the studio, uploads CLIP (two languages of sound and of
// subtitles) in parts with Uppy and a file of SUBTITLES beside it, over a network that breaks in the
// middle, and goes on on another page; sees how far it is, goes to the watch page, plays it, takes another sound and subtitles, looks
// at the storyboard, and back in the studio opens the video to all, but not everywhere, and deletes it.
// A file that is no video tells why.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, origin, clip, subtitles, shots] = process.argv.slice(2);
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
page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    requests.push(`${request.method()} ${pathname}${search}`);
});

const until = (what, ...given) => page.waitForFunction(what, given, { polling: 50, timeout: 60000 }).catch(async () => {
    throw new Error(`gave up waiting until ${what}: ${await page.evaluate(() => document.querySelector("main").innerText)}`);
});
const asked = (pattern) => requests.filter((request) => pattern.test(request)).length;
const text = (selector) => page.textContent(selector);

async function register() {
    await page.goto(`${origin}/studio`);
    await page.fill("#email", `creator-${process.pid}@example.org`);
    await page.fill("#password", "correct horse battery");
    await page.click("#enter button[value=register]");
    await page.waitForSelector("#none", { state: "visible" });
    assert.equal(await page.isVisible("#enter"), false, "who is in is asked to log in");
    assert.equal(await page.evaluate(() => document.activeElement.id), "file", "the keyboard is where one goes on");
}

// What the page says of the video, as it goes on.
const listen = () => page.evaluate(() => {
    window.said = [];
    new MutationObserver(() => {
        const words = document.querySelector("#mine .state")?.textContent;
        if (words && window.said.at(-1) !== words) window.said.push(words);
    }).observe(document.getElementById("mine"), { subtree: true, childList: true, characterData: true });
});

async function fill() {
    await page.setInputFiles("#file", clip);
    assert.equal(await page.inputValue("#name"), path.basename(clip).replace(/\.[^.]*$/, ""));
    await page.fill("#name", "Two languages");
    await page.click("#add-text");
    await page.setInputFiles("#new-texts .file", subtitles);
    assert.equal(await page.inputValue("#new-texts .language"), "fr", "the language is in the file's name");
    await page.selectOption("#privacy", "private"); // he alone can watch it
}

// The second part meets a dead network until the page has said so; the third never ends on the first page.
async function upload() {
    await fill();
    await listen();
    let isBroken = true, isFirst = true;
    await page.route(/partNumber=2(&|$)/, (route) => (isBroken ? route.abort("connectionreset") : route.continue()));
    await page.route(/partNumber=3(&|$)/, (route) => (isFirst ? undefined : route.continue()));
    await page.click("#send");
    await until(() => /cannot be reached.*by itself/.test(document.querySelector("#mine .state")?.textContent));
    isBroken = false;
    await page.waitForRequest(/partNumber=3(&|$)/);
    assert.ok((await page.evaluate(() => window.said)).some((one) => /^Uploading: \d+ %$/.test(one)));

    page.on("dialog", (dialog) => dialog.accept()); // whether one really wants to leave
    await page.reload();
    isFirst = false;
    await until(() => document.querySelector("#mine .state")?.textContent === "Not uploaded.");
    const chooser = page.waitForEvent("filechooser");
    await page.click("#mine .choose");
    await (await chooser).setFiles(clip);
    faults.length = 0; // the browser's own lines of what was broken
}

async function waitUntilReady() {
    await listen();
    await until(() => ["Ready.", "Failed"].some((word) => document.querySelector("#mine .state")?.textContent.startsWith(word)));
    const said = await page.evaluate(() => window.said);
    assert.equal(said.at(-1), "Ready.", said.join("; "));
    const shares = said.map((one) => /^Is being prepared: (\d+) %$/.exec(one)).filter(Boolean).map((found) => Number(found[1]));
    assert.ok(shares.length >= 1, said.join("; "));
    assert.deepEqual(shares, [...shares].sort((a, b) => a - b), "it ran backwards");
    assert.equal(asked(/^PUT .*partNumber=1(&|$)/), 1, "a part that was there was sent again");
    assert.equal(asked(/\/status\/stream$/), 1, "the stream of a private video ended before it was ready");
    assert.equal(asked(/\/status$/), 0, "the page polls");
    assert.match(await text("#said"), /Two languages: Ready/);
    await page.screenshot({ path: path.join(shots, "studio.png"), fullPage: true });
}

async function watch() {
    await page.click("#mine .title");
    await page.waitForURL("**/watch/*");
    await page.evaluate(() => document.getElementById("video").play());
    await until(() => document.getElementById("video").currentTime > 1);
    for (const menu of ["sound", "text"]) await page.waitForSelector(`#${menu}`, { state: "visible" });
    const names = await page.$$eval("#text option", (options) => options.map((option) => option.textContent));
    assert.deepEqual(names, ["Off", "English", "Deutsch", "Français"]);
    await page.selectOption("#sound", "1");
    await page.selectOption("#text", { label: "Français" });
    const time = await page.evaluate(() => document.getElementById("video").currentTime);
    await until(([from]) => document.getElementById("video").currentTime > from + 2, time);
    await until(() => [...document.getElementById("video").textTracks].some((track) => track.mode === "showing"
        && [...track.cues ?? []].some((cue) => cue.text.startsWith("fr "))));
    await page.hover("#scrub");
    await page.waitForSelector("#preview", { state: "visible" });
    await until(() => /url\(/.test(document.getElementById("preview-picture").style.background));
    await page.screenshot({ path: path.join(shots, "studio-watch.png") });
    assert.deepEqual(await page.evaluate(() => window.playerErrors.filter((error) => error.includes("fatal"))), []);
}

async function set() {
    await page.goto(`${origin}/studio`);
    await until(() => document.querySelector("#mine .badge")?.textContent === "Private");
    await page.click("#mine .manage");
    await until(() => document.querySelectorAll(".settings .texts li").length === 1);
    await page.getByLabel("Who may see it").last().selectOption("public");
    await page.getByLabel("Where it may be played").selectOption("deny");
    await page.getByLabel("Countries, by their codes").fill("Germany");
    await page.click(".settings .access button");
    await until(() => document.querySelector("#mine .words.bad")?.textContent.length > 0); // no code
    await page.getByLabel("Countries, by their codes").fill("fr de");
    await page.click(".settings .access button");
    await until(() => document.querySelector("#mine .words")?.textContent === "Saved.");
    assert.equal(await page.getByLabel("Countries, by their codes").inputValue(), "FR, DE");
    assert.equal(await page.isVisible("#mine .badge"), false);
    await page.screenshot({ path: path.join(shots, "studio-settings.png"), fullPage: true });
    faults.length = 0; // the browser's own line of the 422

    // It is not known where anybody is: he can still watch it, and others read why they cannot.
    const other = await browser.newPage({ ignoreHTTPSErrors: true });
    await other.goto(`${origin}${await page.getAttribute("#mine .title", "href")}`);
    await other.waitForSelector("#notice.bad");
    assert.match(await other.textContent("#notice"), /may not be shown everywhere/);
    await other.close();
}

async function fail() {
    await page.setInputFiles("#file", { name: "notes.mp4", mimeType: "video/mp4", buffer: Buffer.from("no video at all ".repeat(99)) });
    await page.click("#send");
    await until(() => /^Failed: the file is not a video/.test(document.querySelector("#mine .state")?.textContent));
    await remove();
}

// By the keyboard; Escape leaves everything as it was.
async function remove() {
    const before = await page.locator("#mine .video").count();
    await page.focus("#mine .remove");
    await page.keyboard.press("Enter");
    await page.waitForSelector("#sure", { state: "visible" });
    await page.keyboard.press("Escape");
    await page.waitForSelector("#sure", { state: "hidden" });
    await page.keyboard.press("Enter"); // the focus is back where it was
    await page.waitForSelector("#sure", { state: "visible" });
    await page.keyboard.press("Tab");
    await page.keyboard.press("Enter");
    await until(([n]) => document.querySelectorAll("#mine .video").length === n, before - 1);
    assert.equal(await page.evaluate(() => document.activeElement.id), "mine-heading");
}

// What programs that read pages aloud go by: every field and button has a name, every picture a text.
async function isNamed() {
    const nameless = await page.evaluate(() => [...document.querySelectorAll("input, select, textarea, button, progress, a[href], img")]
        .filter((one) => one.checkVisibility())
        .filter((one) => one.tagName === "IMG" ? one.getAttribute("alt") === null
            : !one.labels?.length && !one.getAttribute("aria-label") && !one.textContent.trim())
        .map((one) => one.outerHTML));
    assert.deepEqual(nameless, []);
}

async function isNarrow() {
    await page.setViewportSize({ width: 360, height: 800 });
    const wide = await page.evaluate(() => document.documentElement.scrollWidth);
    assert.ok(wide <= 360, `the page is ${wide} pixels wide on a narrow screen`);
    await page.screenshot({ path: path.join(shots, "studio-narrow.png"), fullPage: true });
}

try {
    await register();
    await isNamed();
    await upload();
    await waitUntilReady();
    await watch();
    await isNamed();
    await set();
    await isNamed();
    await isNarrow();
    await fail();
    await remove();
    await page.waitForSelector("#none", { state: "visible" });
    assert.deepEqual(faults, []);
} finally {
    await browser.close();
}
