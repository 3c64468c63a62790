//! Pages of lists that grow: at most so many, and a cursor for the next ones.

use serde::Deserialize;
use socketing_service::Problem;
use socketing_service::catalogue::codes;
use utoipa::IntoParams;

/// Entries in a page, unless the client asks for fewer or more.
const LIMIT_DEFAULT: u16 = 50;
/// Entries in a page at most.
const LIMIT_MAX: u16 = 200;

/// Which part of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Page {
    /// Entries at most: 1 to 200, 50 unless given.
    #[param(minimum = 1, maximum = 200)]
    pub(crate) limit: Option<u16>,
    /// Where to go on: `next` of the page before.
    pub(crate) cursor: Option<String>,
}

impl Page {
    /// How many entries.
    ///
    /// # Errors
    /// `invalid_query` if it is none or too many.
    pub(crate) fn limit(&self) -> Result<usize, Problem> {
        let limit = self.limit.unwrap_or(LIMIT_DEFAULT);
        if (1..=LIMIT_MAX).contains(&limit) {
            return Ok(usize::from(limit));
        }
        Err(Problem::new(codes::INVALID_QUERY).detail(format!("limit is {limit}; it can be 1 to {LIMIT_MAX}")))
    }

    /// The cursor's parts, if there is a cursor.
    ///
    /// # Errors
    /// `invalid_query` if it isn't one of ours.
    pub(crate) fn cursor<T>(&self, parse: fn(&str) -> Option<T>) -> Result<Option<T>, Problem> {
        let Some(cursor) = &self.cursor else { return Ok(None) };
        let parsed =
            parse(cursor).ok_or_else(|| Problem::new(codes::INVALID_QUERY).detail("cursor is none that an answer gave as next"))?;
        Ok(Some(parsed))
    }
}

/// Cuts the rows (of which one more than `limit` was asked for) to a page, with the cursor after its last entry.
pub(crate) fn cut<T>(mut rows: Vec<T>, limit: usize, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let more = rows.len() > limit;
    rows.truncate(limit);
    let next = more.then(|| rows.last().map(cursor)).flatten();
    (rows, next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_page_names_the_next_and_a_last_one_doesnt() {
        assert_eq!(cut(vec![1, 2, 3], 2, i32::to_string), (vec![1, 2], Some("2".to_owned())));
        assert_eq!(cut(vec![1, 2], 2, i32::to_string), (vec![1, 2], None));
        assert_eq!(cut(Vec::<i32>::new(), 2, i32::to_string), (vec![], None));
    }

    #[test]
    fn limits_and_cursors_are_checked() {
        let page = |limit, cursor: Option<&str>| Page { limit, cursor: cursor.map(str::to_owned) };
        assert_eq!(page(None, None).limit().unwrap(), 50);
        for limit in [0, 201, u16::MAX] {
            assert_eq!(page(Some(limit), None).limit().unwrap_err().code(), codes::INVALID_QUERY);
        }
        let number = |text: &str| text.parse::<u64>().ok();
        assert_eq!(page(None, Some("7")).cursor(number).unwrap(), Some(7));
        assert_eq!(page(None, Some("x'; drop")).cursor(number).unwrap_err().code(), codes::INVALID_QUERY);
    }
}
