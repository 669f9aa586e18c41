// Files of subtitles that a creator adds: fields for one, and what the API knows of them.
const LANGUAGES = ["en", "de", "fr", "es", "it", "pt", "nl", "pl", "sv", "da", "fi", "nb", "cs", "hu", "ro", "el",
    "tr", "uk", "ru", "ar", "he", "fa", "hi", "bn", "id", "th", "vi", "ko", "ja", "zh-Hans", "zh-Hant"];
const at = (name) => document.getElementById(name);

// In the language itself, as players show it.
export function nameOf(language) {
    try {
        const name = new Intl.DisplayNames([language], { type: "language" }).of(language);
        return name.charAt(0).toLocaleUpperCase(language) + name.slice(1);
    } catch {
        return language;
    }
}

export function offerLanguages() {
    at("languages").replaceChildren(...LANGUAGES.map((tag) => Object.assign(new Option(), { value: tag, label: nameOf(tag) })));
}

// The language by the file's name, as in "film.de.srt".
function languageOf(name) {
    return /[._-]([a-z]{2}(?:-[A-Za-z]{2,4})?)\.(?:srt|vtt)$/i.exec(name)?.[1] ?? "";
}

// Fields for one file; `value()` is what was chosen, null: nothing.
export function textFields() {
    const element = at("text").content.cloneNode(true).firstElementChild;
    const part = (name) => element.querySelector(`.${name}`);
    part("file").addEventListener("change", () => {
        if (!part("language").value) part("language").value = languageOf(part("file").files[0]?.name ?? "");
    });
    return { element, value: () => part("file").files.length === 0 ? null : {
        file: part("file").files[0], language: part("language").value.trim(), label: part("label").value.trim() } };
}

export function addText(session, video, { file, language, label }) {
    const query = new URLSearchParams({ language, ...(label && { label }) });
    return session.ask("POST", `videos/${video}/subtitles?${query}`, file);
}
