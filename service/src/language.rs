//! The two languages of the product, and which of them a request prefers.

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};

/// A language that titles and hints are written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Language {
    /// Korean.
    Ko,
    /// English: also for requests that name no language, as programs' do (details are in English too).
    #[default]
    En,
}

impl Language {
    /// The language that `Accept-Language` prefers; on a draw the one named first, and English if neither is named.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Language {
        let ranges = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let mut best = (0, Language::default());
        for range in ranges.split(',') {
            let mut parts = range.split(';');
            let Some(language) = parts.next().and_then(Language::of_tag) else { continue };
            let weight = parts.find_map(|part| part.trim().strip_prefix("q=").map(weight)).unwrap_or(1000);
            if weight > best.0 {
                best = (weight, language);
            }
        }
        best.1
    }

    /// The tag for `Content-Language`.
    #[must_use]
    pub const fn tag(self) -> &'static str {
        match self {
            Language::Ko => "ko",
            Language::En => "en",
        }
    }

    fn of_tag(tag: &str) -> Option<Language> {
        let primary = tag.trim().split('-').next()?;
        if primary.eq_ignore_ascii_case("ko") {
            Some(Language::Ko)
        } else if primary.eq_ignore_ascii_case("en") {
            Some(Language::En)
        } else {
            None
        }
    }
}

/// A weight such as `0.8` in thousandths; what can't be read counts as 0.
fn weight(text: &str) -> u32 {
    text.trim().parse::<f32>().map_or(0, |weight| (weight.clamp(0.0, 1.0) * 1000.0) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn preferred(value: &str) -> Language {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT_LANGUAGE, value.parse().unwrap());
        Language::of(&headers)
    }

    #[test]
    fn the_heaviest_known_language_wins() {
        assert_eq!(preferred("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7"), Language::Ko);
        assert_eq!(preferred("en-GB,en;q=0.9,ko;q=0.8"), Language::En);
        assert_eq!(preferred("fr, ko;q=0.2, en;q=0.1"), Language::Ko);
        assert_eq!(preferred("ko;q=0, en;q=0.1"), Language::En);
        assert_eq!(preferred("ko;q=nonsense"), Language::En);
        assert_eq!(preferred("de"), Language::En);
        assert_eq!(Language::of(&HeaderMap::new()), Language::En);
    }
}
