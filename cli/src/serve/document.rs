//! The API's description: that of each service, merged, with what all share.

use socketing_service::health::VERSION;
use socketing_service::openapi::Shared;
use utoipa::OpenApi as _;
use utoipa::openapi::{ContactBuilder, InfoBuilder, LicenseBuilder, OpenApi};

const DESCRIPTION: &str = "\
Commands need an `Idempotency-Key`, and are carried out once per key; ids of new things are UUIDv7, made by the client. \
Every answer to a command has a `position` in the log; every query takes `min_position`, and then shows at least that. \
Errors are problem details (RFC 9457) with a stable `code`. Live changes come by WebSocket from `/v1/live`. \
The system makes no distinction between its own pages and other clients: this is all there is.";

/// The description of all services together.
pub(crate) fn whole() -> OpenApi {
    merged([socketing_command_api::http::openapi(), socketing_projections::query::openapi(), socketing_notifier::openapi()])
}

/// The description of these services together.
pub(crate) fn merged(services: impl IntoIterator<Item = OpenApi>) -> OpenApi {
    let mut document = Shared::openapi();
    services.into_iter().for_each(|service| document.merge(service));
    document.info = InfoBuilder::new()
        .title("Socketing")
        .version(VERSION.api)
        .description(Some(DESCRIPTION))
        .license(Some(LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build()))
        .contact(None::<ContactBuilder>.map(ContactBuilder::build))
        .build();
    document.servers = None;
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_is_described_and_named_once() {
        let document = serde_json::to_value(whole()).unwrap();
        let mut names = Vec::new();
        for (path, operations) in document["paths"].as_object().unwrap() {
            for (method, operation) in operations.as_object().unwrap() {
                assert!(path.starts_with("/v1/"), "{path}");
                assert!(operation["summary"].is_string(), "{method} {path} has no summary");
                names.push(operation["operationId"].as_str().unwrap_or_else(|| panic!("{method} {path} has no name")).to_owned());
            }
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "two operations share a name");
        assert!(count > 20, "{count} operations");
        assert_eq!(document["openapi"], "3.1.0");
    }

    #[test]
    fn a_name_means_the_same_in_all_services() {
        let mut known = serde_json::Map::new();
        for service in [socketing_command_api::http::openapi(), socketing_projections::query::openapi(), socketing_notifier::openapi()] {
            let document = serde_json::to_value(service).unwrap();
            for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(first, schema, "{name} means two different things: merging would lose one");
            }
        }
        assert!(known.len() > 40, "{} schemas", known.len());
    }

    #[test]
    fn every_reference_leads_somewhere() {
        let document = serde_json::to_value(whole()).unwrap();
        let text = document.to_string();
        for (at, _) in text.match_indices("\"$ref\":\"#") {
            let pointer = text[at + 9..].split('"').next().unwrap();
            assert!(document.pointer(&pointer[0..]).is_some(), "{pointer}");
        }
    }
}
