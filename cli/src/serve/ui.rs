//! The web UI's built files. Files named by their content's hash are kept by browsers for ever; everything else is asked
//! for again. A path that is no file is the application's own: it gets the page, which shows it.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use socketing_service::stack::CSP;
use std::path::Path;
use tower_http::services::{ServeDir, ServeFile};

/// Vite puts what it names by hash here.
const HASHED: &str = "/assets/";
const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const ASK_AGAIN: HeaderValue = HeaderValue::from_static("no-cache");
/// Paths that are never the application's: a wrong one is told as what it is.
const NOT_PAGES: [&str; 4] = ["/v1/", "/docs/", "/assets/", "/problems/"];

/// Serves the folder beneath all other routes; its pages may reach the card provider, where there is one. Files are sent precompressed where `.br` or `.gz` stands beside them.
pub(crate) fn beneath(router: Router, folder: &Path, card_provider: Option<&str>) -> Router {
    let policy = card_provider.and_then(|url| HeaderValue::try_from(format!("{CSP}; connect-src 'self' {url}")).ok());
    let page = ServeFile::new(folder.join("index.html")).precompressed_br().precompressed_gzip();
    let files = ServeDir::new(folder).precompressed_br().precompressed_gzip().fallback(page);
    let ui = Router::new().fallback_service(files).layer(from_fn_with_state(policy, keep));
    router.fallback_service(ui)
}

async fn keep(State(policy): State<Option<HeaderValue>>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let hashed = path.starts_with(HASHED);
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    if !reads || (NOT_PAGES.iter().any(|prefix| path.starts_with(prefix)) && !hashed) {
        return StatusCode::NOT_FOUND.into_response();
    }
    let mut response = next.run(request).await;
    let is_page = response.headers().get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/html"));
    if hashed && is_page {
        return StatusCode::NOT_FOUND.into_response(); // the page in place of a missing script would only confuse
    }
    if let Some(policy) = policy.filter(|_| is_page) {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    if response.status().is_success() || response.status() == StatusCode::NOT_MODIFIED {
        response.headers_mut().insert(header::CACHE_CONTROL, if hashed { FOR_EVER } else { ASK_AGAIN });
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::{Body, to_bytes};
    use axum::routing::get;
    use tower::ServiceExt as _;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("assets")).unwrap();
        for (name, content) in [
            ("index.html", "<!doctype html>"),
            ("favicon.svg", "<svg/>"),
            ("assets/app-1a2b.js", "let a"),
            ("assets/app-1a2b.js.gz", "zipped"),
        ] {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        folder
    }

    async fn ask(folder: &Path, method: Method, path: &str, encoding: &str) -> (StatusCode, String, String) {
        let router = beneath(Router::new().route("/v1/shows", get(|| async { "shows" })), folder, None);
        let request = Request::builder().method(method).uri(path).header("accept-encoding", encoding).body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let cached = response.headers().get("cache-control").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status();
        let body = to_bytes(response.into_body(), 1000).await.unwrap();
        (status, String::from_utf8_lossy(&body).into_owned(), cached.unwrap_or_default())
    }

    #[tokio::test]
    async fn hashed_files_are_kept_and_the_page_is_asked_for_again() {
        let folder = folder();
        let (status, body, cached) = ask(folder.path(), Method::GET, "/assets/app-1a2b.js", "").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "let a"));
        assert!(cached.contains("immutable"));
        let (_, body, _) = ask(folder.path(), Method::GET, "/assets/app-1a2b.js", "gzip").await;
        assert_eq!(body, "zipped");
        let (_, body, cached) = ask(folder.path(), Method::GET, "/", "").await;
        assert_eq!((body.as_str(), cached.as_str()), ("<!doctype html>", "no-cache"));
    }

    #[tokio::test]
    async fn the_application_s_own_paths_get_the_page() {
        let folder = folder();
        let (status, body, _) = ask(folder.path(), Method::GET, "/shows/some-show/seats", "").await;
        assert_eq!((status, body.as_str()), (StatusCode::OK, "<!doctype html>"));
    }

    #[tokio::test]
    async fn pages_may_reach_the_card_provider_and_nobody_else() {
        let folder = folder();
        let policy = async |path: &str, provider: Option<&str>| {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = beneath(Router::new(), folder.path(), provider).oneshot(request).await.unwrap();
            response.headers().get("content-security-policy").map(|policy| policy.to_str().unwrap().to_owned())
        };
        let cards = policy("/shows", Some("http://127.0.0.1:8700")).await.unwrap();
        assert!(cards.starts_with(CSP) && cards.ends_with("; connect-src 'self' http://127.0.0.1:8700"), "{cards}");
        assert_eq!(policy("/shows", None).await, None, "the usual one is set for every answer");
        assert_eq!(policy("/assets/app-1a2b.js", Some("http://127.0.0.1:8700")).await, None);
    }

    #[tokio::test]
    async fn what_is_missing_elsewhere_is_missing() {
        let folder = folder();
        assert_eq!(ask(folder.path(), Method::GET, "/v1/shows", "").await.1, "shows");
        for path in ["/v1/nonsense", "/assets/old-ffff.js", "/docs/nothing"] {
            assert_eq!(ask(folder.path(), Method::GET, path, "").await.0, StatusCode::NOT_FOUND, "{path}");
        }
        assert_eq!(ask(folder.path(), Method::POST, "/shows", "").await.0, StatusCode::NOT_FOUND);
        let (_, body, _) = ask(folder.path(), Method::GET, "/../../etc/passwd", "").await;
        assert_eq!(body, "<!doctype html>");
    }
}
