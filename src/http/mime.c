#include "http/mime.h"

#include "base/cleanup.h"

#define UTF8 "; charset=utf-8"

/* What browsers show, play or must know to save; text is taken for UTF-8, as editors write it. */
static const struct {
	const char *end, *type;
} types[] = {
	{"html", "text/html" UTF8},
	{"htm", "text/html" UTF8},
	{"css", "text/css" UTF8},
	{"js", "text/javascript" UTF8},
	{"mjs", "text/javascript" UTF8},
	{"json", "application/json"},
	{"map", "application/json"},
	{"geojson", "application/geo+json"},
	{"webmanifest", "application/manifest+json"},
	{"txt", "text/plain" UTF8},
	{"text", "text/plain" UTF8},
	{"log", "text/plain" UTF8},
	{"conf", "text/plain" UTF8},
	{"ini", "text/plain" UTF8},
	{"diff", "text/plain" UTF8},
	{"patch", "text/plain" UTF8},
	{"c", "text/plain" UTF8},
	{"h", "text/plain" UTF8},
	{"py", "text/plain" UTF8},
	{"rs", "text/plain" UTF8},
	{"go", "text/plain" UTF8},
	{"sh", "text/plain" UTF8},
	{"toml", "text/plain" UTF8},
	{"yaml", "text/plain" UTF8},
	{"yml", "text/plain" UTF8},
	{"md", "text/markdown" UTF8},
	{"csv", "text/csv" UTF8},
	{"tsv", "text/tab-separated-values" UTF8},
	{"ics", "text/calendar" UTF8},
	{"vcf", "text/vcard" UTF8},
	{"vtt", "text/vtt" UTF8},
	{"xml", "application/xml"},
	{"xhtml", "application/xhtml+xml"},
	{"rss", "application/rss+xml"},
	{"atom", "application/atom+xml"},
	{"png", "image/png"},
	{"jpg", "image/jpeg"},
	{"jpeg", "image/jpeg"},
	{"gif", "image/gif"},
	{"webp", "image/webp"},
	{"avif", "image/avif"},
	{"heic", "image/heic"},
	{"jxl", "image/jxl"},
	{"svg", "image/svg+xml"},
	{"ico", "image/vnd.microsoft.icon"},
	{"bmp", "image/bmp"},
	{"tif", "image/tiff"},
	{"tiff", "image/tiff"},
	{"apng", "image/apng"},
	{"mp4", "video/mp4"},
	{"m4v", "video/mp4"},
	{"webm", "video/webm"},
	{"mkv", "video/matroska"},
	{"mov", "video/quicktime"},
	{"avi", "video/x-msvideo"},
	{"mpg", "video/mpeg"},
	{"mpeg", "video/mpeg"},
	{"ogv", "video/ogg"},
	{"ts", "video/mp2t"},
	{"m3u8", "application/vnd.apple.mpegurl"},
	{"mpd", "application/dash+xml"},
	{"mp3", "audio/mpeg"},
	{"m4a", "audio/mp4"},
	{"aac", "audio/aac"},
	{"ogg", "audio/ogg"},
	{"oga", "audio/ogg"},
	{"opus", "audio/ogg"},
	{"flac", "audio/flac"},
	{"wav", "audio/wav"},
	{"weba", "audio/webm"},
	{"mid", "audio/midi"},
	{"woff", "font/woff"},
	{"woff2", "font/woff2"},
	{"ttf", "font/ttf"},
	{"otf", "font/otf"},
	{"eot", "application/vnd.ms-fontobject"},
	{"wasm", "application/wasm"},
	{"pdf", "application/pdf"},
	{"epub", "application/epub+zip"},
	{"rtf", "application/rtf"},
	{"doc", "application/msword"},
	{"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
	{"xls", "application/vnd.ms-excel"},
	{"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
	{"ppt", "application/vnd.ms-powerpoint"},
	{"pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"},
	{"odt", "application/vnd.oasis.opendocument.text"},
	{"ods", "application/vnd.oasis.opendocument.spreadsheet"},
	{"odp", "application/vnd.oasis.opendocument.presentation"},
	{"zip", "application/zip"},
	{"gz", "application/gzip"},
	{"tgz", "application/gzip"},
	{"bz2", "application/x-bzip2"},
	{"xz", "application/x-xz"},
	{"zst", "application/zstd"},
	{"7z", "application/x-7z-compressed"},
	{"rar", "application/vnd.rar"},
	{"tar", "application/x-tar"},
	{"jar", "application/java-archive"},
	{"apk", "application/vnd.android.package-archive"},
	{"deb", "application/vnd.debian.binary-package"},
	{"torrent", "application/x-bittorrent"},
};

const char *http_mime(struct str file_name)
{
	size_t dot = file_name.len;

	while (dot > 0 && file_name.at[dot - 1] != '.')
		dot--;
	if (dot > 0) {
		struct str end = str_n(file_name.at + dot, file_name.len - dot);

		for (size_t i = 0; i < ARRAY_LEN(types); i++)
			if (str_eq_nocase(end, str_of(types[i].end)))
				return types[i].type;
	}
	return "application/octet-stream";
}
