vcl 4.1;
# What the built-in rules do, with less of it: nothing here is about cookies.
backend origin { .host = "127.0.0.1"; .port = "@origin@"; }
sub vcl_recv { return (hash); }
sub vcl_deliver {
    if (obj.hits > 0) { set resp.http.X-Cache = "HIT"; } else { set resp.http.X-Cache = "MISS"; }
}
