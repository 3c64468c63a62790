//! A plan in the pretix format: what [`super::pretix`] reads.

use super::{Plan, Point, Row, Seat, Shape};
use serde_json::{Value, json};

pub(super) fn pretix(plan: &Plan) -> Value {
    let mut seats = plan.seats.as_slice();
    let mut rows = plan.rows.iter().enumerate().peekable();
    let mut zones = Vec::with_capacity(plan.areas.len());
    for (at, area) in plan.areas.iter().enumerate() {
        let mut of_zone = Vec::new();
        while let Some((nth, of)) = rows.next_if(|(_, row)| usize::from(row.area) <= at) {
            let many = seats.iter().take_while(|seat| seat.row as usize <= nth).count();
            let (here, later) = seats.split_at(many);
            seats = later;
            of_zone.push(row(plan, of, here));
        }
        // What is only drawn belongs to no area; a zone has to hold it.
        let drawn: Vec<Value> = if at == 0 { plan.shapes.iter().map(shape).collect() } else { Vec::new() };
        zones.push(json!({
            "name": area.name, "zone_id": at.to_string(), "position": point(Point::default()), "rows": of_zone, "areas": drawn,
        }));
    }
    json!({
        "name": plan.name, "categories": categories(plan), "zones": zones,
        "size": { "width": plan.size.x, "height": plan.size.y },
    })
}

fn categories(plan: &Plan) -> Vec<Value> {
    let category = |(at, category): (usize, &super::Category)| {
        let mut value = json!({ "name": category.name, "color": category.color });
        if let Some(price) = plan.price_of(at) {
            value["price"] = price.get().into();
        }
        value
    };
    plan.categories.iter().enumerate().map(category).collect()
}

fn row(plan: &Plan, row: &Row, seats: &[Seat]) -> Value {
    let seat = |seat: &Seat| {
        json!({
            "uuid": seat.id, "seat_guid": seat.id, "seat_number": seat.number, "position": point(seat.position),
            "category": plan.categories[usize::from(seat.category)].name,
        })
    };
    json!({
        "row_number": row.name, "row_number_position": "both", "position": point(Point::default()),
        "seats": seats.iter().map(seat).collect::<Vec<Value>>(),
    })
}

fn shape(shape: &Shape) -> Value {
    let points: Vec<Value> = shape.outline.iter().map(|corner| point(*corner)).collect();
    let mut value = json!({
        "shape": "polygon", "position": point(Point::default()), "rotation": 0, "polygon": { "points": points },
    });
    if let Some(color) = &shape.color {
        value["color"] = color.as_str().into();
    }
    if let Some(text) = &shape.text {
        value["text"] = json!({ "text": text, "position": point(Point::default()), "size": 16 });
    }
    value
}

fn point(point: Point) -> Value {
    json!({ "x": point.x, "y": point.y })
}
