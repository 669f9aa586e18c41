// usage: node engage.mjs MODULES_DIR WATCH_URL SHOTS_DIR EMAIL PASSWORD
//
// On the watch page in headless Chromium: somebody logs in, likes, saves, follows, comments, and
// finds it again after loading the page anew.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, watchUrl, shots, email, password] = process.argv.slice(2);
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");

const browser = await chromium.launch({
    executablePath: "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--mute-audio", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--no-first-run"],
});
// The edge's certificate is signed by nobody whom the browser knows.
const page = await browser.newPage({ ignoreHTTPSErrors: true, viewport: { width: 1000, height: 1400 } });
const faults = [];
page.on("pageerror", (error) => faults.push(`exception: ${error.message}`));
page.on("console", (line) => { if (line.type() === "error") faults.push(line.text()); });

const text = (id) => page.textContent(`#${id}`);
const becomes = (id, wanted) => page.waitForFunction(
    ([name, words]) => document.getElementById(name).textContent === words, [id, wanted], { polling: 50 });

try {
    await page.goto(watchUrl);
    await page.waitForSelector("#engage", { state: "visible" });
    assert.equal(await text("like"), "Like · 0");
    assert.match(await text("views"), /^\d+ views?$/);
    assert.equal(await page.isVisible("#comment-form"), false);

    await page.click("#like"); // asks who it is, and goes on with it then
    await page.fill("#email", email);
    await page.fill("#password", `not ${password}`);
    await page.click("#login-form button[value=login]");
    await page.waitForFunction(() => document.getElementById("login-said").textContent !== "");
    assert.deepEqual(faults.splice(0).filter((line) => !line.includes("401")), []);
    await page.fill("#password", password);
    await page.click("#login-form button[value=login]");
    await becomes("like", "Liked · 1");
    await page.click("#save");
    await becomes("save", "Saved · 1");
    await page.click("#follow");
    await becomes("follow", "Following");
    await page.fill("#comment", "Well cut.\nTwice <b>seen</b>.");
    await page.click("#comment-form button");
    await becomes("comments-heading", "Comments · 1");
    await page.screenshot({ path: path.join(shots, "engage.png") });

    await page.reload();
    await page.waitForSelector("#engage", { state: "visible" });
    await becomes("like", "Liked · 1");
    await becomes("follow", "Following");
    assert.equal(await page.textContent("#comments .text"), "Well cut.\nTwice <b>seen</b>.");
    await page.click("#like");
    await becomes("like", "Like · 0");
    await page.click("#account");
    await becomes("account", "Log in");
    await becomes("save", "Save · 1");
    assert.deepEqual(faults, []);
} finally {
    await browser.close();
}
