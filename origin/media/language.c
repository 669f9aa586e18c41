#include "origin/media/language.h"

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>

/* ISO 639-2 has two codes for some languages; the one that files carry most is
 * first. */
static const struct origin_language languages[] = {
    {"eng", "en", "English"},    {"spa", "es", "Español"},     {"fra", "fr", "Français"},
    {"fre", "fr", "Français"},   {"deu", "de", "Deutsch"},     {"ger", "de", "Deutsch"},
    {"ita", "it", "Italiano"},   {"por", "pt", "Português"},   {"nld", "nl", "Nederlands"},
    {"dut", "nl", "Nederlands"}, {"rus", "ru", "Русский"},     {"ukr", "uk", "Українська"},
    {"pol", "pl", "Polski"},     {"ces", "cs", "Čeština"},     {"cze", "cs", "Čeština"},
    {"slk", "sk", "Slovenčina"}, {"slo", "sk", "Slovenčina"},  {"hun", "hu", "Magyar"},
    {"ron", "ro", "Română"},     {"rum", "ro", "Română"},      {"bul", "bg", "Български"},
    {"ell", "el", "Ελληνικά"},   {"gre", "el", "Ελληνικά"},    {"tur", "tr", "Türkçe"},
    {"ara", "ar", "العربية"},    {"heb", "he", "עברית"},       {"fas", "fa", "فارسی"},
    {"per", "fa", "فارسی"},      {"hin", "hi", "हिन्दी"},       {"ben", "bn", "বাংলা"},
    {"urd", "ur", "اردو"},       {"tam", "ta", "தமிழ்"},        {"tel", "te", "తెలుగు"},
    {"jpn", "ja", "日本語"},     {"kor", "ko", "한국어"},      {"zho", "zh", "中文"},
    {"chi", "zh", "中文"},       {"vie", "vi", "Tiếng Việt"},  {"tha", "th", "ไทย"},
    {"ind", "id", "Indonesia"},  {"msa", "ms", "Melayu"},      {"swe", "sv", "Svenska"},
    {"nor", "no", "Norsk"},      {"dan", "da", "Dansk"},       {"fin", "fi", "Suomi"},
    {"isl", "is", "Íslenska"},   {"cat", "ca", "Català"},      {"hrv", "hr", "Hrvatski"},
    {"srp", "sr", "Српски"},     {"slv", "sl", "Slovenščina"}, {"lit", "lt", "Lietuvių"},
    {"lav", "lv", "Latviešu"},   {"est", "et", "Eesti"},       {"swa", "sw", "Kiswahili"},
    {"tgl", "tl", "Tagalog"},    {"afr", "af", "Afrikaans"},   {"zul", "zu", "isiZulu"},
};

const struct origin_language *origin_language_find(const char *code)
{
    struct fb_str wanted = fb_str_from(code);

    for (size_t i = 0; i < FB_ARRAY_LEN(languages); i++) {
        if (fb_str_equal_nocase(wanted, fb_str_from(languages[i].iso639)) ||
            fb_str_equal_nocase(wanted, fb_str_from(languages[i].tag))) {
            return &languages[i];
        }
    }
    return NULL;
}
