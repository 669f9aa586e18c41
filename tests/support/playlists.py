"""What HLS playlists and DASH manifests list, read by a parser of our own that
knows no more than RFC 8216 and the parts of ISO/IEC 23009-1 that we write."""
import dataclasses
import re
import urllib.parse
import xml.etree.ElementTree as ET

from lab_wire import get

ATTRIBUTE = re.compile(r'([A-Z0-9-]+)=("[^"]*"|[^",]+)')
MPD = "{urn:mpeg:dash:schema:mpd:2011}"


@dataclasses.dataclass
class Rendition:
    name: str
    playlist: str  # URL of the media playlist; empty for DASH
    init: str = ""
    segments: list = dataclasses.field(default_factory=list)  # URLs
    seconds: list = dataclasses.field(default_factory=list)  # duration of each
    attributes: dict = dataclasses.field(default_factory=dict)

    @property
    def is_video(self):
        return "RESOLUTION" in self.attributes

    @property
    def files(self):
        return [self.init, *self.segments]


def attributes(line):
    return {k: v.strip('"') for k, v in ATTRIBUTE.findall(line.split(":", 1)[1])}


def fetch(url):
    response = get(url)
    assert response.status == 200 and response.complete, f"{url}: {response.status}"
    return response.body.decode()


def read_media_playlist(rendition):
    text = fetch(rendition.playlist)
    assert text.startswith("#EXTM3U"), f"{rendition.playlist} is no playlist"
    assert "#EXT-X-ENDLIST" in text, f"{rendition.playlist} has no end"
    target = float(re.search(r"#EXT-X-TARGETDURATION:(\d+)", text)[1])
    for line in text.splitlines():
        if line.startswith("#EXT-X-MAP"):
            rendition.init = urllib.parse.urljoin(rendition.playlist, attributes(line)["URI"])
        elif line.startswith("#EXTINF"):
            rendition.seconds.append(float(line.split(":")[1].split(",")[0]))
            assert round(rendition.seconds[-1]) <= target, f"{rendition.playlist}: {line}"
        elif line and not line.startswith("#"):
            rendition.segments.append(urllib.parse.urljoin(rendition.playlist, line))
    assert rendition.init and len(rendition.segments) == len(rendition.seconds) > 0
    return rendition


def read_hls(master):
    """The renditions of a multivariant playlist with picture or sound, each with its segments."""
    found, waiting = [], None
    for line in fetch(master).splitlines():
        if line.startswith("#EXT-X-STREAM-INF"):
            waiting = attributes(line)
        elif line.startswith("#EXT-X-MEDIA"):
            about = attributes(line)
            if about["TYPE"] == "AUDIO":
                url = urllib.parse.urljoin(master, about["URI"])
                found.append(Rendition(f"sound {about.get('NAME', '')}".strip(), url,
                                       attributes=about))
        elif line and not line.startswith("#"):
            url = urllib.parse.urljoin(master, line)
            found.append(Rendition(waiting["RESOLUTION"], url, attributes=waiting))
    assert found, f"{master} lists nothing"
    return [read_media_playlist(rendition) for rendition in found]


def read_dash(manifest):
    """The representations of a static MPD with picture or sound."""
    root, found = ET.fromstring(fetch(manifest)), []
    for adaptation in root.iter(f"{MPD}AdaptationSet"):
        if adaptation.get("contentType") not in ("video", "audio"):
            continue
        for representation in adaptation.iter(f"{MPD}Representation"):
            template = representation.find(f"{MPD}SegmentTemplate")
            if template is None:
                template = adaptation.find(f"{MPD}SegmentTemplate")
            name = representation.get("id")
            base = "".join(b.text for b in (adaptation.find(f"{MPD}BaseURL"),
                                            representation.find(f"{MPD}BaseURL"))
                           if b is not None)

            def url(pattern, number=0, time=0, representation=representation, base=base):
                values = {"RepresentationID": representation.get("id"), "Number": number,
                          "Time": time, "Bandwidth": representation.get("bandwidth")}
                filled = re.sub(r"\$(\w+?)(%0\d+d)?\$", lambda m: (m[2] or "%s") % values[m[1]],
                                pattern)
                return urllib.parse.urljoin(manifest, base + filled)

            rendition = Rendition(name, "", url(template.get("initialization")))
            number, time = int(template.get("startNumber", 1)), 0
            scale = int(template.get("timescale", 1))
            for s in template.iter(f"{MPD}S"):
                time = int(s.get("t", time))
                for _ in range(int(s.get("r", 0)) + 1):
                    rendition.segments.append(url(template.get("media"), number, time))
                    rendition.seconds.append(int(s.get("d")) / scale)
                    number, time = number + 1, time + int(s.get("d"))
            found.append(rendition)
    assert found, f"{manifest} lists nothing"
    return found
