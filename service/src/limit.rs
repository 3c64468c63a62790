//! How often someone may do something: a token bucket per key (an account, an address), in bounded memory.

use crate::{Code, Problem};
use axum::{
    http::{HeaderName, HeaderValue},
    response::{IntoResponseParts, ResponseParts},
};
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use std::{
    convert::Infallible,
    fmt,
    hash::{BuildHasher, Hash, RandomState},
    num::NonZeroU32,
    str::FromStr,
    sync::Mutex,
    time::{Duration, Instant},
};

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Keys that one limit remembers, at about 50 bytes each. Past it, new keys share [`SHARED`] buckets.
const KEYS_MAX: usize = 200_000;
/// Buckets that keys share when there are too many: a flood of made-up keys limits itself, not memory.
const SHARED: u64 = 4096;
/// How often keys that have recovered are forgotten, at most.
const SWEEP: Duration = Duration::from_secs(1);

/// How many in how long, such as `10/m`; or `off`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rate {
    /// How many at once, and per period; `None` for no limit.
    count: Option<NonZeroU32>,
    period: Duration,
}

impl Rate {
    /// So many per minute.
    #[must_use]
    pub const fn per_minute(count: u32) -> Rate {
        Rate { count: NonZeroU32::new(count), period: Duration::from_secs(60) }
    }
}

/// A rate that can't be read.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadRate(String);

impl fmt::Display for BadRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no rate: write a number from 1 to 1000000 and /s, /m or /h, such as 10/m, or off", self.0)
    }
}

impl std::error::Error for BadRate {}

impl FromStr for Rate {
    type Err = BadRate;

    fn from_str(text: &str) -> Result<Rate, BadRate> {
        let bad = || BadRate(text.to_owned());
        if text == "off" {
            return Ok(Rate { count: None, period: Duration::from_secs(1) });
        }
        let (count, unit) = text.split_once('/').ok_or_else(bad)?;
        let count: u32 = count.parse().map_err(|_| bad())?;
        let period = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            _ => return Err(bad()),
        };
        let count = NonZeroU32::new(count).filter(|count| count.get() <= 1_000_000).ok_or_else(bad)?;
        Ok(Rate { count: Some(count), period: Duration::from_secs(period) })
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = match self.period.as_secs() {
            1 => "s",
            60 => "m",
            _ => "h",
        };
        match self.count {
            Some(count) => write!(f, "{count}/{unit}"),
            None => f.write_str("off"),
        }
    }
}

type Buckets = RateLimiter<u64, HashMapStateStore<u64>, DefaultClock, StateInformationMiddleware>;

/// One limit, counted per key.
pub struct Limit {
    name: &'static str,
    code: Code,
    rate: Rate,
    policy: HeaderValue,
    buckets: Option<Buckets>,
    clock: DefaultClock,
    seed: RandomState, // so that nobody can choose keys that collide
    swept: Mutex<Instant>,
    keys_max: usize,
}

impl fmt::Debug for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Limit({} {})", self.name, self.rate)
    }
}

impl Limit {
    /// A limit with a name for headers and logs, and the code that those above it are refused with.
    #[must_use]
    pub fn new(name: &'static str, code: Code, rate: Rate) -> Limit {
        Limit::with_keys(name, code, rate, KEYS_MAX)
    }

    fn with_keys(name: &'static str, code: Code, rate: Rate, keys_max: usize) -> Limit {
        let quota = rate.count.and_then(|count| {
            let each = rate.period / count.get();
            Some(Quota::with_period(each)?.allow_burst(count))
        });
        let buckets = quota.map(|quota| RateLimiter::hashmap(quota).with_middleware::<StateInformationMiddleware>());
        let clock = DefaultClock::default();
        let count = rate.count.map_or(0, NonZeroU32::get);
        let policy = value(format!("\"{name}\";q={count};w={}", rate.period.as_secs()));
        Limit { name, code, rate, policy, buckets, clock, seed: RandomState::new(), swept: Mutex::new(Instant::now()), keys_max }
    }

    /// Counts one use by this key.
    ///
    /// # Errors
    /// The limit's code, with `Retry-After` and the rate's headers, if the key has none left.
    pub fn check(&self, key: impl Hash) -> Result<Allowed, Problem> {
        let Some(buckets) = &self.buckets else { return Ok(Allowed(None)) };
        let key = self.bounded(buckets, self.seed.hash_one(key));
        match buckets.check_key(&key) {
            Ok(left) => Ok(Allowed(Some(self.headers(left.remaining_burst_capacity(), None)))),
            Err(refused) => {
                let wait = refused.wait_time_from(self.clock.now());
                let (policy, limit) = self.headers(0, Some(wait));
                let problem = Problem::new(self.code).retry_after(wait).header(POLICY, policy).header(LIMIT, limit);
                Err(problem.detail(format!("at most {} ({})", self.rate, self.name)))
            }
        }
    }

    /// The key itself while there is room, else one of the shared buckets.
    fn bounded(&self, buckets: &Buckets, key: u64) -> u64 {
        if buckets.len() < self.keys_max {
            return key;
        }
        if let Ok(mut swept) = self.swept.try_lock()
            && swept.elapsed() >= SWEEP
        {
            buckets.retain_recent();
            *swept = Instant::now();
        }
        if buckets.len() < self.keys_max { key } else { key % SHARED }
    }

    /// `RateLimit-Policy` and `RateLimit`, as the IETF's draft writes them.
    fn headers(&self, left: u32, wait: Option<Duration>) -> (HeaderValue, HeaderValue) {
        let wait = wait.map_or_else(String::new, |wait| format!(";t={}", wait.as_secs_f64().ceil()));
        (self.policy.clone(), value(format!("\"{}\";r={left}{wait}", self.name)))
    }
}

fn value(text: String) -> HeaderValue {
    HeaderValue::try_from(text).expect("names of limits are ASCII")
}

/// What is left to a key; as part of an answer, the `RateLimit` headers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Allowed(Option<(HeaderValue, HeaderValue)>);

impl IntoResponseParts for Allowed {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        if let Some((policy, limit)) = self.0 {
            parts.headers_mut().append(POLICY, policy);
            parts.headers_mut().append(LIMIT, limit);
        }
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::codes;
    use axum::{
        http::header::RETRY_AFTER,
        response::{IntoResponse, Response},
    };

    fn limit(rate: &str, keys_max: usize) -> Limit {
        Limit::with_keys("sign-in", codes::TOO_MANY_ATTEMPTS, rate.parse().unwrap(), keys_max)
    }

    #[test]
    fn a_key_has_its_count_and_then_is_told_when_to_come_back() {
        let limit = limit("3/h", 10);
        for left in [2, 1, 0] {
            let response: Response = (limit.check("kim").unwrap(), ()).into_response();
            assert_eq!(response.headers()[POLICY], "\"sign-in\";q=3;w=3600");
            assert_eq!(response.headers()[LIMIT], format!("\"sign-in\";r={left}"));
        }
        let refused = limit.check("kim").unwrap_err().into_response();
        assert_eq!(refused.status(), 429);
        let wait: u64 = refused.headers()[RETRY_AFTER].to_str().unwrap().parse().unwrap();
        assert!((1..=1200).contains(&wait), "a third of an hour gives one back, not {wait} s");
        assert_eq!(refused.headers()[LIMIT], format!("\"sign-in\";r=0;t={wait}"));
        assert!(limit.check("lee").is_ok(), "another key has its own count");
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_limits_itself() {
        let limit = limit("1/h", 100);
        for key in 0..100_000 {
            let _ = limit.check(key);
        }
        let kept = limit.buckets.as_ref().unwrap().len();
        assert!(kept <= 100 + SHARED as usize, "{kept} keys are kept");
        assert!((0..100_000).all(|key| limit.check(key + 100_000).is_err()), "the shared buckets are empty");
    }

    #[test]
    fn off_is_no_limit_and_nonsense_is_refused() {
        let limit = limit("off", 10);
        assert!((0..1000).all(|_| limit.check("kim").is_ok()));
        for bad in ["", "10", "0/m", "10/d", "-1/s", "x/s", "1000001/s"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        assert_eq!("10/m".parse::<Rate>().unwrap(), Rate::per_minute(10));
        assert_eq!(Rate::per_minute(10).to_string(), "10/m");
    }
}
