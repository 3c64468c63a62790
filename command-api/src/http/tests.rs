use super::openapi;
use std::collections::BTreeSet;
use utoipa::openapi::RefOr;

/// Every operation of the document with its method and path.
fn operations() -> Vec<(String, utoipa::openapi::path::Operation)> {
    let document = openapi();
    let mut found = Vec::new();
    for (path, item) in document.paths.paths {
        for (method, operation) in [("get", item.get), ("post", item.post), ("delete", item.delete), ("put", item.put)] {
            found.extend(operation.map(|operation| (format!("{method} {path}"), operation)));
        }
    }
    found
}

#[test]
fn operation_ids_are_stable_and_unique() {
    let ids: Vec<String> = operations().into_iter().filter_map(|(_, operation)| operation.operation_id).collect();
    assert_eq!(ids.len(), operations().len());
    let expected = [
        "accept_invitation",
        "allow_suggestions",
        "book",
        "cancel_booking",
        "card_webhook",
        "change_line_limits",
        "claim_pass",
        "claim_seat",
        "create_show",
        "decline_invitation",
        "dismiss_friend",
        "drain_line",
        "evict_from_line",
        "expel_member",
        "extend_hold",
        "find_person",
        "form_party",
        "give_beacon",
        "grant_role",
        "hand_party_over",
        "hold_best",
        "hold_seats",
        "import_plan",
        "invite_friend",
        "join_line",
        "join_party",
        "leave_line",
        "leave_party",
        "lose_seed",
        "line_receipt",
        "me",
        "my_hold",
        "open_payments",
        "pause_line",
        "pay",
        "payment",
        "payment_methods",
        "plan",
        "publish_show",
        "release_hold",
        "request_friend",
        "resume_line",
        "shares",
        "sign_in",
        "sign_out",
        "sign_up",
        "statement_key",
        "time",
        "withdraw_invitation",
    ];
    assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected.into_iter().map(String::from).collect());
}

#[test]
fn every_operation_says_what_it_does_and_what_can_go_wrong() {
    for (name, operation) in operations() {
        assert!(operation.summary.is_some_and(|summary| !summary.is_empty()), "{name} has no summary");
        let responses = &operation.responses.responses;
        assert!(responses.keys().any(|status| status.starts_with('2')), "{name} has no success");
        if ["get /v1/time", "get /v1/payment-methods"].contains(&name.as_str()) {
            continue;
        }
        assert!(responses.contains_key("500") && responses.contains_key("503"), "{name} says nothing of failures");
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            let RefOr::T(response) = response else { panic!("{name} {status} is a reference") };
            assert!(response.content.contains_key("application/problem+json"), "{name} {status} is no problem");
        }
    }
}

#[test]
fn every_command_documents_its_key() {
    let exempt = ["post /v1/accounts", "post /v1/sessions", "post /v1/plans", "post /v1/webhooks/card"];
    for (name, operation) in operations().into_iter().filter(|(name, _)| name.starts_with("post") && !exempt.contains(&name.as_str())) {
        let parameters = operation.parameters.unwrap_or_default();
        assert!(
            parameters.iter().any(|parameter| matches!(parameter, RefOr::T(parameter) if parameter.name == "Idempotency-Key")),
            "{name} documents no Idempotency-Key"
        );
        assert!(operation.security.is_some(), "{name} documents no sign-in");
    }
}
