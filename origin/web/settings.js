// What a creator sets of a video: who may see it, where it may be played, and its subtitles.
import { addText, nameOf, textFields } from "./subtitles.js";

const template = document.getElementById("settings");

// "DE, at" → ["DE", "AT"]
export const countriesOf = (text) => text.toUpperCase().split(/[\s,;]+/).filter(Boolean);

function showAccess(form, { privacy, countries }) {
    const [where] = Object.keys(countries ?? {});
    form.elements.privacy.value = privacy;
    form.elements.where.value = where ?? "";
    form.elements.countries.value = (countries?.[where] ?? []).join(", ");
    form.querySelector(".countries").hidden = !where;
    form.elements.countries.required = Boolean(where);
}

function textItem(text, remove) {
    const item = document.createElement("li");
    const name = text.label ?? nameOf(text.language);
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Remove" });
    button.setAttribute("aria-label", `Remove the subtitles ${name}`);
    button.addEventListener("click", () => remove(text));
    item.append(`${name} (${text.language}), ${text.cues} texts `, button);
    return item;
}

// Fills `box` for the video. `act(work)` runs what was asked for; `changed(video)` hears of it.
export function openSettings({ box, session, video, act, changed }) {
    box.replaceChildren(template.content.cloneNode(true));
    const [access, subtitles] = [box.querySelector(".access"), box.querySelector(".subtitles")];
    const path = `videos/${video.id}`;
    let fields;

    showAccess(access, video);
    access.elements.where.addEventListener("change", () => {
        const isBound = access.elements.where.value !== "";
        access.querySelector(".countries").hidden = !isBound;
        access.elements.countries.required = isBound;
    });
    access.addEventListener("submit", act(async () => {
        const { privacy, where, countries } = access.elements;
        const next = await session.ask("PATCH", path, { privacy: privacy.value,
            countries: where.value ? { [where.value]: countriesOf(countries.value) } : null });
        showAccess(access, next);
        changed(next);
        return "Saved.";
    }));

    async function list() {
        const { items } = await session.ask("GET", `${path}/subtitles`);
        box.querySelector(".texts").replaceChildren(...items.map((text) => textItem(text, (one) => act(async () => {
            await session.ask("DELETE", `${path}/subtitles/${one.id}`);
            await list();
            return "The subtitles are gone.";
        })(new Event("remove")))));
        box.querySelector(".none").hidden = items.length > 0;
    }
    function offer() {
        fields = textFields();
        box.querySelector(".add").replaceChildren(fields.element);
    }
    subtitles.addEventListener("submit", act(async () => {
        const { cues } = await addText(session, video.id, fields.value());
        offer();
        await list();
        return `Added, with ${cues} ${cues === 1 ? "text" : "texts"}.`;
    }));
    offer();
    return list();
}
