//! The committed description of the API is the one that the handlers make.

use crate::support::run_plain;
use std::path::Path;

#[tokio::test]
async fn the_committed_document_is_up_to_date() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/api/openapi.json");
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    let ran = run_plain(&["openapi"]).await;
    assert_eq!(ran.code(), Some(0), "{}", ran.err());
    assert!(
        committed == ran.out(),
        "docs/api/openapi.json is not what the handlers say; write it anew: ./dev socketing openapi > docs/api/openapi.json"
    );
}
