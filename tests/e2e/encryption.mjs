// usage: node encryption.mjs MODULES_DIR PAGE_URL     (cases as JSON on standard input)
//
// Encrypted videos in headless Chromium, with Clear Key: by Shaka Player, and by the watch page. Whoever may
// play one does, with keys from the origin, and others get none.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, pageUrl] = process.argv.slice(2);
const cases = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(path.join(modules, "index.js"))("playwright-core");
const WAIT = { timeout: 60000, polling: 50 };
const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true,
    args: ["--no-sandbox", "--autoplay-policy=no-user-gesture-required", "--disable-gpu", "--mute-audio",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run"] });

const plays = () => {
    const video = document.querySelector("video");
    return video.currentTime > 1 && video.getVideoPlaybackQuality().totalVideoFrames > 10
        && video.webkitAudioDecodedByteCount > 0 && video.mediaKeys;
};

async function shaka({ name, url, licences, token, plays: may }) {
    const page = await browser.newPage();
    const query = new URLSearchParams({ url, licences, ...(token ? { token } : {}) });
    await page.goto(`${pageUrl}?${query}`);
    const loaded = await page.evaluate(() => window.ready.then((system) => ({ system }),
        (error) => ({ code: error.code ?? String(error) })));
    if (may) {
        assert.equal(loaded.system, "org.w3.clearkey", `${name}: ${JSON.stringify(loaded)}`);
        await page.evaluate(() => document.querySelector("video").play());
        try {
            await page.waitForFunction(plays, undefined, WAIT);
        } catch {
            throw new Error(`${name} does not play: ${JSON.stringify(await page.evaluate(() => window.playerErrors))}`);
        }
        assert.deepEqual(await page.evaluate(() => window.playerErrors), [], name);
        assert.ok(await page.evaluate(() => window.nLicences) >= 1, `${name}: no licence was asked for`);
    } else {
        await page.waitForFunction(() => window.playerErrors.length > 0
            || document.querySelector("video").error, undefined, WAIT).catch(() => {});
        const codes = await page.evaluate(() => window.playerErrors);
        const all = loaded.code ? [loaded.code, ...codes] : codes;
        assert.ok(all.includes(6007), `${name}: ${JSON.stringify(all)}, want LICENSE_REQUEST_FAILED`);
        assert.equal(await page.evaluate(() => document.querySelector("video").currentTime), 0, name);
    }
    console.log(`encryption: ${name} ${may ? "plays" : "does not play, as it should"}`);
    await page.close();
}

// `session`: who is logged in; `account`: who logs in on the page, where it says that there is no such video;
// `without`: a browser that has no media keys.
async function watch({ name, watch: url, session, account, without, plays: may, says }) {
    const page = await browser.newPage();
    const licences = [];
    page.on("response", (answer) => answer.url().includes("/licences/") && licences.push(answer.status()));
    await page.addInitScript(([tokens, isPoor]) => {
        if (tokens) sessionStorage.setItem("forebay-session", JSON.stringify(tokens));
        if (isPoor) delete Navigator.prototype.requestMediaKeySystemAccess;
    }, [session && { access: session.access_token, refresh: session.refresh_token,
        expires: Date.now() + session.expires_in * 1000 }, without]);
    await page.goto(url);
    const state = () => page.evaluate(() => [document.getElementById("notice").textContent, ...window.playerErrors]);
    try {
        if (account) {
            await page.click("#enter");
            await page.fill("#email", account.email);
            await page.fill("#password", account.password);
            await page.click("#login-form button[value=login]");
            await page.waitForFunction(() => document.querySelector("video").readyState >= 1, undefined, WAIT);
        }
        if (may) {
            await page.evaluate(() => document.querySelector("video").play());
            await page.waitForFunction(plays, undefined, WAIT);
            assert.deepEqual(licences.slice(0, 1), [200]);
            assert.deepEqual((await state()).filter((line) => line && !line.includes("bufferStalled")), []);
        } else {
            await page.waitForFunction((words) => document.querySelector("#notice.bad")?.textContent.includes(words), says, WAIT);
            assert.equal(await page.evaluate(() => document.querySelector("video").currentTime), 0);
        }
    } catch (error) {
        throw new Error(`${name}: ${error.message} ${JSON.stringify(await state())} ${licences}`);
    }
    console.log(`encryption: ${name} ${may ? "plays" : `says ${says}`}`);
    await page.close();
}

async function playNext() {
    for (let one = cases.shift(); one; one = cases.shift()) await (one.watch ? watch : shaka)(one);
}

try {
    await Promise.all([playNext(), playNext(), playNext()]);
} finally {
    await browser.close();
}
