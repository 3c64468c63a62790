//! What a plan only draws: stages, bars, texts.

use super::loose::{List, Object, Scalar};
use super::pretix::{RawPoint, Reader};
use super::{Point, Shape, geometry};
use crate::limits::OUTLINE_POINTS_MAX;
use serde::Deserialize;
use std::f64::consts::TAU;

/// Corners that a round shape is drawn with.
const ROUND: u32 = 32;

/// A drawing in the pretix format.
#[derive(Deserialize, Debug, Default)]
#[serde(default)]
pub(super) struct RawShape {
    shape: Scalar,
    position: Object<RawPoint>,
    /// Degrees, clockwise about the position.
    rotation: Scalar,
    color: Scalar,
    text: Object<RawText>,
    polygon: Object<RawPolygon>,
    rectangle: Object<RawRectangle>,
    ellipse: Object<RawEllipse>,
    circle: Object<RawCircle>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawText {
    text: Scalar,
    position: Object<RawPoint>,
    size: Scalar,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawPolygon {
    points: List<RawPoint>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawRectangle {
    width: Scalar,
    height: Scalar,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawEllipse {
    radius: Object<RawPoint>,
}

#[derive(Deserialize, Debug, Default)]
#[serde(default)]
struct RawCircle {
    radius: Scalar,
}

impl Reader {
    /// A shape, or nothing if there is nothing to draw. `origin` is its zone's position.
    pub(super) fn shape(&mut self, path: &str, raw: &RawShape, origin: (f64, f64)) -> Option<Shape> {
        let at = self.point(format_args!("{path}/position"), &raw.position, false)?;
        let rotation = self.number(format_args!("{path}/rotation"), &raw.rotation, Some(0.0))?;
        let corners = self.corners(path, raw)?;
        let place = (origin.0 + at.0, origin.1 + at.1);
        let outline = corners.into_iter().map(|corner| turned(corner, rotation, place)).collect::<Option<Vec<Point>>>();
        let Some(outline) = outline else {
            self.problems.add(path, "bad_number", "the shape lies too far away");
            return None;
        };
        let text = match &raw.text {
            Object::Good(text) => self.text(format_args!("{path}/text/text"), &text.text).filter(|text| !text.is_empty()),
            Object::Absent | Object::Other => None,
        };
        let drawn = !outline.is_empty();
        drawn.then(|| Shape { outline, color: color(&raw.color), text })
    }

    /// The corners, relative to the shape's position. None for shapes that the format doesn't have.
    fn corners(&mut self, path: &str, raw: &RawShape) -> Option<Vec<(f64, f64)>> {
        let Scalar::Text(shape) = &raw.shape else { return Some(Vec::new()) };
        match (shape.as_str(), raw) {
            ("polygon", RawShape { polygon: Object::Good(polygon), .. }) => self.polygon(path, &polygon.points),
            ("rectangle", RawShape { rectangle: Object::Good(RawRectangle { width, height }), .. }) => {
                let width = self.number(format_args!("{path}/rectangle/width"), width, None)?;
                let height = self.number(format_args!("{path}/rectangle/height"), height, None)?;
                Some(vec![(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)])
            }
            ("ellipse", RawShape { ellipse: Object::Good(ellipse), .. }) => {
                self.point(format_args!("{path}/ellipse/radius"), &ellipse.radius, true).map(round)
            }
            ("circle", RawShape { circle: Object::Good(circle), .. }) => {
                let radius = self.number(format_args!("{path}/circle/radius"), &circle.radius, None)?;
                Some(round((radius, radius)))
            }
            ("text", RawShape { text: Object::Good(text), .. }) => self.text_box(path, text),
            _ => Some(Vec::new()),
        }
    }

    fn polygon(&mut self, path: &str, points: &List<RawPoint>) -> Option<Vec<(f64, f64)>> {
        let List::Items { good, .. } = points else { return Some(Vec::new()) };
        if good.len() > OUTLINE_POINTS_MAX {
            let detail = format!("a shape has at most {OUTLINE_POINTS_MAX} points, not {}", good.len());
            self.problems.add(format_args!("{path}/polygon/points"), "too_many", detail);
            return None;
        }
        good.iter().map(|(at, point)| self.coordinates(format_args!("{path}/polygon/points/{at}"), point)).collect()
    }

    /// A box about as large as the text, around its middle.
    fn text_box(&mut self, path: &str, text: &RawText) -> Option<Vec<(f64, f64)>> {
        let (x, y) = self.point(format_args!("{path}/text/position"), &text.position, false)?;
        let size = self.number(format_args!("{path}/text/size"), &text.size, Some(16.0))?;
        let chars = match &text.text {
            Scalar::Text(text) => text.chars().count() as f64,
            Scalar::Absent | Scalar::Number(_) | Scalar::Other => return Some(Vec::new()),
        };
        let (w, h) = (chars * size * 0.3, size * 0.6);
        Some(vec![(x - w, y - h), (x + w, y - h), (x + w, y + h), (x - w, y + h)])
    }
}

fn round((rx, ry): (f64, f64)) -> Vec<(f64, f64)> {
    let corner = |at: u32| {
        let (sin, cos) = (TAU * f64::from(at) / f64::from(ROUND)).sin_cos();
        (rx * cos, ry * sin)
    };
    (0..ROUND).map(corner).collect()
}

/// A corner in the plan's coordinates: turned clockwise (the y axis points down) about the shape's position.
fn turned((x, y): (f64, f64), degrees: f64, place: (f64, f64)) -> Option<Point> {
    let (sin, cos) = degrees.to_radians().sin_cos();
    let (x, y) = (place.0 + x * cos - y * sin, place.1 + x * sin + y * cos);
    (super::pretix::in_range(x) && super::pretix::in_range(y)).then(|| geometry::point(x, y))
}

/// A colour as `#rrggbb`; none if it is written in another way.
pub(super) fn color(scalar: &Scalar) -> Option<String> {
    let Scalar::Text(text) = scalar else { return None };
    let digits = text.strip_prefix('#')?;
    if !digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    match digits.len() {
        6 => Some(format!("#{}", digits.to_ascii_lowercase())),
        3 => Some(digits.chars().fold(String::from("#"), |color, digit| color + &digit.to_ascii_lowercase().to_string().repeat(2))),
        _ => None,
    }
}
