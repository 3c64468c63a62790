//! The demo: people to sign in as, a hall, a show on sale and one that opens soon. Loading it twice is harmless.

pub(crate) mod plan;

use crate::client::{Answer, Api, Ask, CallError};
use crate::operator;
use anyhow::Context as _;
use serde::Serialize;
use serde_json::{Value, json};
use socketing_domain::account::Role;
use socketing_domain::{Clock as _, SystemClock, Timestamp};
use uuid::Uuid;

/// Everyone's password. The demo is for loopback only.
const PASSWORD: &str = "socketing-demo";
const DAY_SECONDS: u32 = 86_400;
/// The show that opens soon does so after this.
const SOON_SECONDS: u32 = 600;

/// A person of the demo.
struct Part {
    email: &'static str,
    nickname: &'static str,
    role: Role,
    what: &'static str,
}

const PARTS: [Part; 4] = [
    Part { email: "fan1@socketing.example", nickname: "설레는하늘다람쥐", role: Role::Fan, what: "buys tickets" },
    Part { email: "fan2@socketing.example", nickname: "느긋한초록거북", role: Role::Fan, what: "a friend to invite" },
    Part { email: "organiser@socketing.example", nickname: "소케팅기획", role: Role::Organiser, what: "sells shows" },
    Part { email: "operator@socketing.example", nickname: "소케팅운영", role: Role::Operator, what: "runs the system" },
];

/// What the demo has.
#[derive(Serialize)]
pub(crate) struct Demo {
    /// Where to sign in.
    pub(crate) url: String,
    /// As whom.
    pub(crate) logins: Vec<Login>,
    /// What is on sale, or will be.
    pub(crate) shows: Vec<Shown>,
}

/// A login of the demo.
#[derive(Serialize)]
pub(crate) struct Login {
    pub(crate) email: &'static str,
    pub(crate) password: &'static str,
    pub(crate) nickname: String,
    pub(crate) role: Role,
    pub(crate) what: &'static str,
}

/// A show of the demo.
#[derive(Serialize)]
pub(crate) struct Shown {
    pub(crate) show_id: String,
    pub(crate) title: String,
    pub(crate) sale_opens_at: Value,
    /// Whether it was made just now.
    pub(crate) new: bool,
}

/// A show that the demo should have.
struct Wanted {
    ko: &'static str,
    en: &'static str,
    opens_in_seconds: u32,
    /// Days from now on which it is played.
    days: &'static [u32],
}

const SHOWS: [Wanted; 2] = [
    Wanted { ko: "별빛 서커스", en: "Starlight Circus", opens_in_seconds: 0, days: &[60, 61] },
    Wanted { ko: "푸른 밤의 재즈", en: "Jazz of a Blue Night", opens_in_seconds: SOON_SECONDS, days: &[90] },
];

/// Loads what is missing of the demo.
///
/// # Errors
/// What the API says.
pub(crate) async fn load(api: &Api, database_url: &str) -> anyhow::Result<Demo> {
    let system = operator::system_token(database_url).await?;
    let mut logins = Vec::new();
    let mut organiser = String::new();
    for part in &PARTS {
        let (token, nickname) = person(api, &system, part).await?;
        if part.role == Role::Organiser {
            organiser = token;
        }
        logins.push(Login { email: part.email, password: PASSWORD, nickname, role: part.role, what: part.what });
    }
    let plan = operator::import_plan(api, &organiser, &serde_json::to_value(plan::plan())?).await?;
    let known = api.call_patiently(Ask::get("/v1/shows")).await;
    let known = known.map_err(|error| error.failure(api, "asking for the shows"))?.body;
    let mut shows = Vec::new();
    for wanted in &SHOWS {
        shows.push(match find(&known, wanted) {
            Some(show) => shown(show, false),
            None => make(api, &organiser, &plan, wanted).await?,
        });
    }
    Ok(Demo { url: api.base().to_owned(), logins, shows })
}

/// Signs a person of the demo up, or in; returns the token and the nickname.
async fn person(api: &Api, system: &str, part: &Part) -> anyhow::Result<(String, String)> {
    let body = json!({ "email": part.email, "password": PASSWORD, "nickname": part.nickname });
    let doing = format!("signing up {}", part.email);
    let answer = match api.call_patiently(Ask::post("/v1/accounts", &body)).await {
        Err(CallError::Problem(problem)) if problem.code == "email_taken" => {
            let body = json!({ "email": part.email, "password": PASSWORD });
            api.call_patiently(Ask::post("/v1/sessions", &body)).await
        }
        answer => answer,
    };
    let Answer { body: answer, .. } = answer.map_err(|error| error.failure(api, &doing))?;
    let member = |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("{doing}: the answer has no {name}"));
    if answer["role"] != json!(part.role) {
        let account = member("account_id")?.parse().with_context(|| format!("{doing}: the answer's account_id is no id"))?;
        operator::grant(api, system, account, part.role).await?;
    }
    Ok((member("token")?, member("nickname")?))
}

/// A show of this title that still has a performance to come.
fn find<'a>(known: &'a Value, wanted: &Wanted) -> Option<&'a Value> {
    let now = SystemClock.now();
    let to_come = |show: &&Value| {
        let performances = show["performances"].as_array().into_iter().flatten();
        performances.filter_map(|p| serde_json::from_value::<Timestamp>(p["starts_at"].clone()).ok()).any(|at| at > now)
    };
    known["shows"].as_array()?.iter().filter(|show| show["title"]["en"] == wanted.en).find(to_come)
}

async fn make(api: &Api, organiser: &str, plan: &Value, wanted: &Wanted) -> anyhow::Result<Shown> {
    let now = SystemClock.now();
    let opens_at = now.plus_seconds(wanted.opens_in_seconds);
    let date = |days: &u32| json!({ "performance": Uuid::now_v7(), "starts_at": evening(now.plus_seconds(days * DAY_SECONDS)) });
    let dates: Vec<Value> = wanted.days.iter().map(date).collect();
    let price = |(category, won): (&str, u32)| json!({ "category": category, "price": won });
    let prices = [("VIP", 132_000), ("R", 110_000), ("S", 88_000), ("A", 55_000)].map(price);
    let show = json!({
        "show_id": Uuid::now_v7(),
        "title": { "ko": wanted.ko, "en": wanted.en },
        "venue": { "ko": "소케팅 아레나", "en": "Socketing Arena" },
        "plan": plan,
        "dates": dates,
        "prices": prices,
        "sale_opens_at": opens_at,
        "preset": "default",
    });
    operator::publish_show(api, organiser, &show).await?;
    Ok(shown(&show, true))
}

/// 19:30 in Seoul, of the day of this moment there.
fn evening(moment: Timestamp) -> Timestamp {
    const DAY_MS: i64 = 86_400_000;
    const SEOUL_MS: i64 = 9 * 3_600_000;
    const EVENING_MS: i64 = 19 * 3_600_000 + 30 * 60_000;
    let local = moment.as_millis() + SEOUL_MS;
    Timestamp::from_millis(local - local.rem_euclid(DAY_MS) + EVENING_MS - SEOUL_MS)
}

fn shown(show: &Value, new: bool) -> Shown {
    Shown {
        show_id: show["show_id"].as_str().unwrap_or_default().to_owned(),
        title: format!("{} / {}", show["title"]["ko"].as_str().unwrap_or_default(), show["title"]["en"].as_str().unwrap_or_default()),
        sale_opens_at: show["sale_opens_at"].clone(),
        new,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_are_played_in_the_evening_in_seoul() {
        let noon_utc = Timestamp::from_millis(1_800_014_400_000); // 2027-01-15T12:00:00Z, 21:00 in Seoul
        assert_eq!(evening(noon_utc).to_string(), "2027-01-15T10:30:00Z");
    }

    #[test]
    fn a_show_that_is_over_is_not_the_demo_any_more() {
        let show =
            |starts_at: &str| json!({ "shows": [{ "title": { "en": "Starlight Circus" }, "performances": [{ "starts_at": starts_at }] }] });
        assert!(find(&show("2001-01-01T00:00:00Z"), &SHOWS[0]).is_none());
        assert!(find(&show("2999-01-01T00:00:00Z"), &SHOWS[0]).is_some());
        assert!(find(&show("2999-01-01T00:00:00Z"), &SHOWS[1]).is_none());
    }
}
