//! `GET /v1/performances/{performance}/seats`

use super::snapshot::{Snapshot, Standing, Touches};
use super::{Api, Fresh, QueryErrors, failed};
use crate::projection::Model;
use axum::Json;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use socketing_domain::PerformanceId;
use socketing_domain::event::StreamId;
use socketing_domain::plan::PlanHash;
use socketing_domain::refusal::Reason;
use socketing_service::extract::{Path, Query};
use socketing_service::{Code, Problem};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use utoipa::ToSchema;
use uuid::Uuid;

/// Maps kept in memory: the sales that are on at once; of the largest plan, 6 MB together.
const MAPS_KEPT_MAX: usize = 64;

/// Every seat of a performance.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SeatMap {
    /// The performance.
    performance_id: PerformanceId,
    /// The seating plan, by hash.
    plan: PlanHash,
    /// One digit per seat, in the plan's order: 0 free, 1 held, 2 booked (being paid), 3 sold.
    #[schema(value_type = String, example = "0012330", pattern = "^[0-3]+$")]
    seats: Arc<str>,
    #[serde(flatten)]
    standing: Standing,
}

/// A map's version: the log's history, and the position of the last event that changed the map. Anything else that
/// happened since makes no new version.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Version {
    incarnation: Uuid,
    changed_at: i64,
}

impl Version {
    fn etag(self) -> String {
        format!("\"{}-{}\"", self.incarnation.simple(), self.changed_at)
    }
}

/// The last maps that were asked for: everybody asks for the same one when a sale opens, and a sold stadium's is 100 kB.
#[derive(Debug, Default)]
pub(crate) struct MapCache(Mutex<HashMap<PerformanceId, (Version, Arc<str>)>>);

impl MapCache {
    fn get(&self, performance: PerformanceId, version: Version) -> Option<Arc<str>> {
        let maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        maps.get(&performance).filter(|(kept, _)| *kept == version).map(|(_, seats)| Arc::clone(seats))
    }

    fn keep(&self, performance: PerformanceId, version: Version, seats: &Arc<str>) {
        let mut maps = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if maps.len() >= MAPS_KEPT_MAX && !maps.contains_key(&performance) {
            maps.clear(); // the ones in use are back with the next request
        }
        maps.insert(performance, (version, Arc::clone(seats)));
    }
}

socketing_service::error_responses!(UnknownPerformance: Code::of(Reason::UnknownPerformance));

/// Every seat's state. Its `ETag` changes with the map: asked with `If-None-Match`, an unchanged map is 304.
#[utoipa::path(
    get, path = "/v1/performances/{performance}/seats", tag = "seats", operation_id = "get_seats",
    params(("performance" = PerformanceId, Path), Fresh, ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the map that one has.")),
    responses(
        (status = 200, body = SeatMap, headers(("ETag" = String, description = "The map's version."))),
        (status = 304, description = "The map is the one that the client has."),
        UnknownPerformance, QueryErrors
    )
)]
pub(crate) async fn seats(
    State(api): State<Api>,
    Path(performance): Path<PerformanceId>,
    Query(fresh): Query<Fresh>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let touched = [StreamId::Performance(performance)];
    let mut snapshot = api.snapshot(&[Model::SeatMap], fresh.min_position, Touches::Streams(&touched)).await?;
    let (plan, version) = version_of(&mut snapshot, performance).await?;
    let etag = version.etag();
    if matches(&headers, &etag) {
        return Ok((StatusCode::NOT_MODIFIED, caching(&etag)).into_response());
    }
    let seats = digits_of(&api, &mut snapshot, performance, version).await?;
    let map = SeatMap { performance_id: performance, plan, seats, standing: snapshot.standing };
    Ok((caching(&etag), Json(map)).into_response())
}

/// A map's plan and version.
///
/// # Errors
/// `unknown_performance`, or the database's.
pub(super) async fn version_of(snapshot: &mut Snapshot, performance: PerformanceId) -> Result<(PlanHash, Version), Problem> {
    let row: Option<([u8; 32], i64)> = sqlx::query_as("select plan, changed_at from seat_maps where performance_id = $1")
        .bind(performance.0)
        .fetch_optional(snapshot.connection())
        .await
        .map_err(failed("reading a seat map's version"))?;
    let (plan, changed_at) = row.ok_or_else(|| Problem::new(Code::of(Reason::UnknownPerformance)))?;
    Ok((PlanHash(plan), Version { incarnation: snapshot.incarnation, changed_at }))
}

/// A map of this version: from memory, or from the rows.
pub(super) async fn digits_of(
    api: &Api,
    snapshot: &mut Snapshot,
    performance: PerformanceId,
    version: Version,
) -> Result<Arc<str>, Problem> {
    if let Some(seats) = api.0.maps.get(performance, version) {
        return Ok(seats);
    }
    let states: String = sqlx::query_scalar("select string_agg(states, '' order by chunk) from seat_map_chunks where performance_id = $1")
        .bind(performance.0)
        .fetch_one(snapshot.connection())
        .await
        .map_err(failed("reading a seat map"))?;
    let seats = Arc::from(states);
    api.0.maps.keep(performance, version, &seats);
    Ok(seats)
}

/// May be kept, but asked about each time.
fn caching(etag: &str) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(ETAG, HeaderValue::from_str(etag).expect("hex digits and quotes are visible ASCII"));
    headers
}

/// Whether the client has this version. The comparison is the weak one (RFC 9110, 13.1.2): compression on the way may
/// have weakened the tag.
fn matches(headers: &HeaderMap, etag: &str) -> bool {
    let tags = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok()).flat_map(|value| value.split(','));
    tags.map(str::trim).any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(changed_at: i64) -> Version {
        Version { incarnation: Uuid::nil(), changed_at }
    }

    #[test]
    fn a_map_is_kept_for_its_version_only() {
        let (cache, performance) = (MapCache::default(), PerformanceId::new());
        cache.keep(performance, version(7), &Arc::from("012"));
        assert_eq!(cache.get(performance, version(7)).as_deref(), Some("012"));
        assert_eq!(cache.get(performance, version(8)), None);
        let other = Version { incarnation: Uuid::from_u128(1), ..version(7) };
        assert_eq!(cache.get(performance, other), None);
    }

    #[test]
    fn the_cache_is_bounded() {
        let cache = MapCache::default();
        for _ in 0..3 * MAPS_KEPT_MAX {
            cache.keep(PerformanceId::new(), version(1), &Arc::from("0"));
            assert!(cache.0.lock().unwrap().len() <= MAPS_KEPT_MAX);
        }
    }

    #[test]
    fn tags_are_compared_as_the_standard_says() {
        let etag = version(7).etag();
        let having = |value: &str| matches(&HeaderMap::from_iter([(IF_NONE_MATCH, HeaderValue::from_str(value).unwrap())]), &etag);
        assert!(having(&etag) && having("*") && having(&format!("W/{etag}")) && having(&format!("\"x\", {etag}")));
        assert!(!having("\"x\"") && !having(&version(8).etag()) && !matches(&HeaderMap::new(), &etag));
    }
}
