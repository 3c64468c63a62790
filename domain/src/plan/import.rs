//! Reading a plan that someone uploaded, in whichever format it is.

use super::loose::Object;
use super::problems::{of_all, unreadable};
use super::{Plan, Problem, check, pretix};
use crate::limits::{PLAN_BYTES_MAX, PLAN_DEPTH_MAX, PLAN_OBJECTS_MAX};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The fields that tell the formats apart.
#[derive(Deserialize)]
struct Probe {
    zones: Option<IgnoredAny>,
    seats: Option<IgnoredAny>,
}

pub(super) fn import(json: &[u8]) -> Result<Plan, Vec<Problem>> {
    if json.len() > PLAN_BYTES_MAX {
        return of_all("too_large", format!("a plan has at most {PLAN_BYTES_MAX} bytes, not {}", json.len()));
    }
    let measure = measure(json);
    if measure.depth > PLAN_DEPTH_MAX {
        return of_all("too_deep", format!("a plan's JSON has at most {PLAN_DEPTH_MAX} levels"));
    }
    if measure.objects > PLAN_OBJECTS_MAX {
        return of_all("too_many", format!("a plan's JSON has at most {PLAN_OBJECTS_MAX} objects, not {}", measure.objects));
    }
    match serde_json::from_slice(json) {
        Ok(Object::Good(Probe { zones: Some(_), .. })) => pretix::read(json),
        Ok(Object::Good(Probe { seats: Some(_), .. })) => check::read(json),
        Ok(Object::Absent | Object::Other) => of_all("not_a_plan", "a plan is a JSON object"),
        Ok(Object::Good(Probe { .. })) => of_all("not_a_plan", "a plan has zones (the pretix format) or seats (our own)"),
        Err(error) => unreadable(&error),
    }
}

/// How deep a JSON text goes, and how many objects it has.
#[derive(PartialEq, Debug)]
struct Measure {
    depth: usize,
    objects: usize,
}

/// Measures a text before it is parsed, so that no text can take the parser's stack or all memory. It needn't be JSON.
fn measure(json: &[u8]) -> Measure {
    let (mut depth, mut deepest, mut objects) = (0_usize, 0, 0);
    let mut bytes = json.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'{' | b'[' => {
                depth += 1;
                deepest = deepest.max(depth);
                objects += usize::from(*byte == b'{');
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            b'"' => skip_text(&mut bytes),
            _ => {}
        }
    }
    Measure { depth: deepest, objects }
}

fn skip_text(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => _ = bytes.next(),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_in_texts_are_no_levels() {
        assert_eq!(measure(br#"{"a[{": [{}, "]\"[[[", "\\"]}"#), Measure { depth: 3, objects: 2 });
        assert_eq!(measure(b"]]]["), Measure { depth: 1, objects: 0 });
        assert_eq!(measure(b""), Measure { depth: 0, objects: 0 });
    }
}
