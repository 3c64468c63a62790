//! Plans come in whole and right, or are refused with everything that is wrong with them.

use serde_json::{Value, json};
use socketing_domain::limits::{CATEGORIES_MAX, PLAN_AREAS_MAX, PLAN_BYTES_MAX, PLAN_PROBLEMS_MAX, PLAN_SEATS_MAX};
use socketing_domain::plan::{Plan, PlanHash, Point, Problem, SeatKind, SeatLabel};
use socketing_domain::{SeatIndex, Won};
use std::collections::BTreeSet;

fn import(plan: &Value) -> Result<Plan, Vec<Problem>> {
    Plan::import(plan.to_string().as_bytes())
}

/// The paths and codes of everything that is wrong.
fn problems(plan: &Value) -> Vec<(String, String)> {
    let found = import(plan).expect_err("the plan is bad");
    assert!(found.iter().all(|problem| !problem.detail.is_empty()));
    found.into_iter().map(|problem| (problem.path, problem.code)).collect()
}

fn problem(path: &str, code: &str) -> (String, String) {
    (path.to_owned(), code.to_owned())
}

/// A real venue's peculiarities: guids that repeat while uuids don't, a category nobody uses, a row without a position,
/// fields that only some seats have, a zone that is only drawn, fields we don't know.
fn theatre() -> Value {
    let seat = |uuid: &str, number: &str, x: f64, category: &str| json!({"seat_guid": format!("Stalls-A-{number}"), "uuid": uuid, "seat_number": number, "position": {"x": x, "y": 0.0}, "category": category});
    json!({
        "name": "Theatre",
        "categories": [
            {"name": "I", "color": "#F44336"}, {"name": "never used", "color": "red"}, {"name": "II", "color": "#abc"}
        ],
        "size": {"width": 800, "height": 600},
        "unknown": {"deep": [[1, [2, {"a": "]}"}]]]},
        "zones": [
            {"name": "Stalls", "zone_id": "S", "uuid": "z1", "position": {"x": 100.0, "y": 200.0}, "areas": [
                {"shape": "rectangle", "color": "#CBEEB3", "border_color": "#FFFFFF", "rotation": 90, "position": {"x": 10.0, "y": 20.0},
                 "rectangle": {"width": 40, "height": 30}, "text": {"text": "Stage", "position": {"x": 0.0, "y": 0.0}, "color": "#333333"}},
                {"shape": "hexagon"}
            ], "rows": [
                {"row_number": "A", "row_number_position": "start", "uuid": "r1", "position": {"x": 1.0, "y": 2.0}, "seats": [
                    seat("a1", "1", 0.0, "I"), seat("a2", "2", 25.0, "I"), seat("a3", "3", 50.0, "I"),
                    seat("a4", "4", 110.0, "II"), seat("a5", "5", 135.0, "II")
                ]},
                {"row_number": "A", "seats": [
                    {"seat_guid": "Stalls-A-1", "uuid": "b1", "seat_number": "1", "radius": 10.5, "start_direction": "<>",
                     "position": {"x": 0.0, "y": 50.0}, "category": "II"},
                    {"seat_guid": "Stalls-A-2", "uuid": "b2", "seat_number": "2", "position": {"x": 90.0, "y": 50.0}, "category": "II"}
                ]},
                {"row_number": "B", "position": {"x": 0.0, "y": 0.0}, "seats": []}
            ]},
            {"name": "only drawn", "position": {"x": 0, "y": 0}, "rows": [], "areas": []},
            {"name": "Balcony", "position": {"x": 0, "y": -300}, "rows": [
                {"row_number": 7, "seats": [
                    {"seat_guid": "Balcony-7-1", "uuid": "c1", "seat_number": 12, "position": {"x": 5, "y": 5}, "category": "I"}
                ]}
            ]}
        ]
    })
}

#[test]
fn a_venue_in_the_pretix_format_comes_in_whole() {
    let plan = import(&theatre()).unwrap();
    assert_eq!(plan.name, "Theatre");
    assert_eq!(plan.seats.len(), 8);
    let categories: Vec<(&str, &str)> = plan.categories.iter().map(|c| (c.name.as_str(), c.color.as_str())).collect();
    assert_eq!(categories, [("I", "#f44336"), ("never used", "#808080"), ("II", "#aabbcc")]);
    assert_eq!(plan.areas.iter().map(|area| area.name.as_str()).collect::<Vec<_>>(), ["Stalls", "Balcony"]);
    assert_eq!(plan.rows.iter().map(|row| (row.area, row.name.as_str())).collect::<Vec<_>>(), [(0, "A"), (0, "A"), (1, "7")]);
    assert_eq!(plan.label(SeatIndex(7)), Some(SeatLabel { area: "Balcony", row: "7", number: "12" }));
    assert_eq!(plan.label(SeatIndex(8)), None);
    let first = plan.seat(SeatIndex(0)).unwrap();
    assert_eq!((first.id.as_str(), first.position, first.kind), ("a1", Point { x: 101.0, y: 202.0 }, SeatKind::Standard));
    assert_eq!(plan.seats[5].position, Point { x: 100.0, y: 250.0 }, "a row without a position stands where its zone does");
    assert_eq!(plan.size, Point { x: 800.0, y: 600.0 });
}

#[test]
fn neighbours_follow_the_row_and_stop_at_an_aisle() {
    let plan = import(&theatre()).unwrap();
    let links: Vec<(Option<u32>, Option<u32>)> = plan.seats.iter().map(|s| (s.left.map(|i| i.0), s.right.map(|i| i.0))).collect();
    let stalls = [(None, Some(1)), (Some(0), Some(2)), (Some(1), None), (None, Some(4)), (Some(3), None)];
    assert_eq!(links[..5], stalls, "seats 3 and 4 are 60 apart where 25 is usual");
    assert_eq!(links[5..], [(None, None); 3], "a short row takes the plan's usual distance: 90 is an aisle");
}

#[test]
fn an_areas_outline_has_all_its_seats_inside() {
    let plan = import(&theatre()).unwrap();
    for seat in &plan.seats {
        let outline = &plan.areas[usize::from(plan.rows[seat.row as usize].area)].outline;
        let side = |(a, b): (&Point, &Point)| (b.x - a.x) * (seat.position.y - a.y) - (b.y - a.y) * (seat.position.x - a.x);
        let next = outline.iter().cycle().skip(1);
        assert!(outline.len() >= 3 && outline.iter().zip(next).all(|pair| side(pair) > 0.0), "seat {} in {outline:?}", seat.id);
    }
}

#[test]
fn drawings_are_turned_and_moved() {
    let plan = import(&theatre()).unwrap();
    let [stage] = &plan.shapes[..] else { panic!("one shape is known: {:?}", plan.shapes) };
    assert_eq!((stage.color.as_deref(), stage.text.as_deref()), (Some("#cbeeb3"), Some("Stage")));
    let corners = [(110.0, 220.0), (110.0, 260.0), (80.0, 260.0), (80.0, 220.0)].map(|(x, y)| Point { x, y });
    assert_eq!(stage.outline, corners, "a quarter turn clockwise, the y axis pointing down");
}

#[test]
fn every_kind_of_drawing_is_drawn() {
    let mut venue = theatre();
    venue["zones"][0]["areas"] = json!([
        {"shape": "circle", "position": {"x": 0, "y": 0}, "circle": {"radius": 10}},
        {"shape": "ellipse", "position": {"x": 0, "y": 0}, "ellipse": {"radius": {"x": 20, "y": 10}}},
        {"shape": "polygon", "position": {"x": 0, "y": 0}, "polygon": {"points": [{"x": 0, "y": 0}, {"x": 5, "y": 0}, {"x": 0, "y": 5}]}},
        {"shape": "text", "position": {"x": 0, "y": 0}, "text": {"text": "Bar", "position": {"x": 0, "y": 0}, "size": 10}}
    ]);
    let plan = import(&venue).unwrap();
    let extent = |at: usize| {
        let xs = plan.shapes[at].outline.iter().map(|point| point.x - 100.0);
        (xs.clone().fold(f32::MAX, f32::min), xs.fold(f32::MIN, f32::max))
    };
    assert_eq!((extent(0), extent(1), extent(2), extent(3)), ((-10.0, 10.0), (-20.0, 20.0), (0.0, 5.0), (-9.0, 9.0)));
    assert_eq!(plan.shapes[3].text.as_deref(), Some("Bar"));
}

#[test]
fn an_old_revision_without_uuids_comes_in() {
    let plan = json!({
        "name": "Old", "categories": [{"name": "I"}],
        "zones": [{"name": "Hall", "displayed": true, "rows": [
            {"row_number": "1", "number_of_seats": 2, "seats_spacing": 20, "seats": [
                {"seat_guid": "g1", "seat_number": "1", "position": {"x": 0, "y": 0}, "category": "I"},
                {"seat_guid": "g2", "seat_number": "2", "position": {"x": 20, "y": 0}, "category": "I"}
            ]}
        ]}]
    });
    let imported = import(&plan).unwrap();
    assert_eq!(imported.seats.iter().map(|seat| seat.id.as_str()).collect::<Vec<_>>(), ["g1", "g2"]);
    assert_eq!(imported.seats[0].right, Some(SeatIndex(1)));
    assert!(imported.size.x >= 20.0 && imported.size.y >= 1.0, "a size is found: {:?}", imported.size);
}

#[test]
fn everything_that_is_wrong_is_named_with_its_place() {
    let mut plan = theatre();
    plan["categories"][1]["price"] = json!(-5);
    plan["categories"][2]["name"] = json!("I");
    plan["zones"][0]["rows"][0]["seats"][0]["category"] = json!("nowhere");
    plan["zones"][0]["rows"][0]["seats"][1]["uuid"] = json!("a1");
    plan["zones"][0]["rows"][0]["seats"][2]["position"]["x"] = json!("25");
    plan["zones"][0]["rows"][0]["seats"][3]["position"]["y"] = json!(1e8);
    plan["zones"][0]["rows"][0]["seats"][4]["seat_number"] = json!("");
    plan["zones"][0]["rows"][1]["seats"][0] = json!(7);
    plan["zones"][0]["rows"][1]["seats"][1]["category"] = json!("I");
    plan["zones"][0]["rows"][2]["seats"] = json!("none");
    plan["zones"][2]["rows"][0]["seats"][0]["position"] = json!([1, 2]);
    plan["zones"][2]["rows"][0]["seats"][0]["seat_number"] = json!("x".repeat(101));
    let seat = |row: &str, seat: u32, field: &str| format!("/zones/{row}/seats/{seat}{field}");
    assert_eq!(
        problems(&plan),
        [
            problem("/categories/1/price", "negative_price"),
            problem("/categories/2/name", "duplicate_category"),
            problem(&seat("0/rows/0", 0, "/category"), "unknown_category"),
            problem(&seat("0/rows/0", 1, "/uuid"), "duplicate_seat"),
            problem(&seat("0/rows/0", 2, "/position/x"), "bad_number"),
            problem(&seat("0/rows/0", 3, "/category"), "unknown_category"),
            problem(&seat("0/rows/0", 3, "/position/y"), "bad_number"),
            problem(&seat("0/rows/0", 4, "/seat_number"), "missing"),
            problem(&seat("0/rows/0", 4, "/category"), "unknown_category"),
            problem(&seat("0/rows/1", 0, ""), "not_an_object"),
            problem("/zones/0/rows/2/seats", "not_a_list"),
            problem(&seat("2/rows/0", 0, "/seat_number"), "too_long"),
            problem(&seat("2/rows/0", 0, "/position"), "not_an_object"),
        ]
    );
}

#[test]
fn a_seat_without_uuid_that_repeats_a_guid_is_named() {
    let mut plan = theatre();
    for seat in 0..2 {
        plan["zones"][0]["rows"][1]["seats"][seat]["uuid"] = Value::Null;
        plan["zones"][0]["rows"][1]["seats"][seat]["seat_guid"] = json!("same");
    }
    assert_eq!(problems(&plan), [problem("/zones/0/rows/1/seats/1/seat_guid", "duplicate_seat")]);
    plan["zones"][0]["rows"][1]["seats"][1].as_object_mut().unwrap().remove("seat_guid");
    assert_eq!(problems(&plan), [problem("/zones/0/rows/1/seats/1/seat_guid", "missing")]);
}

#[test]
fn a_plan_without_seats_is_refused() {
    let empty = json!({"name": "Empty", "categories": [], "zones": []});
    assert_eq!(problems(&empty), [problem("/zones", "no_seats")]);
    let rows = json!({"name": "Empty", "categories": [], "zones": [{"rows": [{"row_number": "1", "seats": []}]}]});
    assert_eq!(problems(&rows), [problem("/zones", "no_seats")]);
    let nameless = json!({"categories": {}, "zones": 5});
    assert_eq!(
        problems(&nameless),
        [problem("/name", "missing"), problem("/categories", "not_a_list"), problem("/zones", "no_seats"), problem("/zones", "not_a_list")]
    );
}

#[test]
fn junk_is_refused_with_one_problem_and_no_harm() {
    let million = 1_000_000;
    let deep_list = "[".repeat(million);
    let deep_object = "{\"zones\":".repeat(million);
    let deep_inside = format!("{{\"zones\":[{}]}}", "[".repeat(million) + &"]".repeat(million));
    let noise: Vec<u8> = (0..10_000_000_u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let numbers = format!("[{}0]", "0,".repeat(5_000_000));
    let objects = format!("{{\"zones\":[{}{{}}]}}", "{},".repeat(3_000_000));
    let large = vec![b' '; PLAN_BYTES_MAX + 1];
    let bad: [(&[u8], &str); 15] = [
        (b"", "not_json"),
        (b"hello", "not_json"),
        (b"{\"zones\": [", "not_json"),
        (b"{\"zones\": [{\"position\": {\"x\": NaN}}]}", "not_json"),
        (b"{\"zones\": [{\"position\": {\"x\": 1e999}}]}", "not_json"),
        (b"\xff\xfe{}", "not_json"),
        (b"[]", "not_a_plan"),
        (b"{}", "not_a_plan"),
        (b"{\"zones\": [], \"zones\": []}", "not_a_plan"),
        (deep_list.as_bytes(), "too_deep"),
        (deep_object.as_bytes(), "too_deep"),
        (deep_inside.as_bytes(), "too_deep"),
        (numbers.as_bytes(), "not_a_plan"),
        (objects.as_bytes(), "too_many"),
        (&large, "too_large"),
    ];
    for (json, code) in bad {
        let found = Plan::import(json).unwrap_err();
        assert_eq!(found.iter().map(|problem| problem.code.as_str()).collect::<Vec<_>>(), [code], "{found:?}");
    }
    assert_eq!(Plan::import(&noise).unwrap_err().len(), 1);
}

#[test]
fn a_hall_that_is_too_large_is_refused() {
    let seat =
        |at: usize| format!(r#"{{"uuid":"{at}","seat_number":"1","category":"I","position":{{"x":{},"y":{}}}}}"#, at % 1000, at / 1000);
    let hall = |seats: usize| {
        let seats: Vec<String> = (0..seats).map(seat).collect();
        let seats = seats.join(",");
        format!(r#"{{"name":"Large","categories":[{{"name":"I"}}],"zones":[{{"rows":[{{"row_number":"1","seats":[{seats}]}}]}}]}}"#)
    };
    assert_eq!(Plan::import(hall(PLAN_SEATS_MAX).as_bytes()).unwrap().seats.len(), PLAN_SEATS_MAX);
    let found = Plan::import(hall(PLAN_SEATS_MAX + 1).as_bytes()).unwrap_err();
    assert_eq!((found[0].path.as_str(), found[0].code.as_str()), ("/zones", "too_many"));
}

#[test]
fn problems_beyond_the_most_are_counted() {
    let seats: Vec<Value> =
        (0..1000).map(|at| json!({"uuid": at, "seat_number": "1", "category": "?", "position": {"x": at, "y": 0}})).collect();
    let plan = json!({"name": "Bad", "categories": [{"name": "I"}], "zones": [{"rows": [{"seats": seats}]}]});
    let found = import(&plan).unwrap_err();
    assert_eq!(found.len(), PLAN_PROBLEMS_MAX);
    assert_eq!(found.last().unwrap().code, "more_problems");
    assert!(found.last().unwrap().detail.starts_with("801 more"), "{:?}", found.last());
}

#[test]
fn our_own_format_comes_in_as_it_went_out() {
    let plan = import(&theatre()).unwrap();
    let written = serde_json::to_value(&plan).unwrap();
    let again = import(&written).unwrap();
    assert_eq!(again, plan);
    assert_eq!(again.hash(), plan.hash());
}

#[test]
fn our_own_format_may_say_what_pretix_cant() {
    let mut own = serde_json::to_value(import(&theatre()).unwrap()).unwrap();
    own["seats"][5]["kind"] = json!("wheelchair");
    own["seats"][6]["kind"] = json!("companion");
    own["seats"][5]["right"] = json!(6);
    own["seats"][6]["left"] = json!(5);
    let plan = import(&own).unwrap();
    assert_eq!((plan.seats[5].kind, plan.seats[6].kind), (SeatKind::Wheelchair, SeatKind::Companion));
    assert_eq!(plan.seats[5].right, Some(SeatIndex(6)));
}

#[test]
fn our_own_format_is_held_against_what_the_program_relies_on() {
    let mut own = serde_json::to_value(import(&theatre()).unwrap()).unwrap();
    own["name"] = json!(" ");
    own["categories"][0]["color"] = json!("url(evil)");
    own["categories"][1]["name"] = json!("II");
    own["rows"][0]["area"] = json!(1);
    own["rows"][2]["area"] = json!(2);
    own["seats"][0]["right"] = json!(2);
    own["seats"][3]["id"] = json!("a1");
    own["seats"][3]["category"] = json!(3);
    own["seats"][5]["right"] = json!(99);
    own["seats"][5]["position"]["x"] = json!(1e30);
    own["seats"][6]["row"] = json!(0);
    own["seats"][7]["left"] = json!(7);
    own["shapes"][0]["text"] = json!("a\u{7}b");
    assert_eq!(
        problems(&own),
        [
            problem("/name", "missing"),
            problem("/categories/0/color", "bad_color"),
            problem("/categories/2/name", "duplicate_category"),
            problem("/rows/1/area", "bad_order"),
            problem("/rows/2/area", "bad_reference"),
            problem("/seats/0/right", "bad_neighbour"),
            problem("/seats/1/left", "bad_neighbour"),
            problem("/seats/3/category", "bad_reference"),
            problem("/seats/3/id", "duplicate_seat"),
            problem("/seats/5/position/x", "bad_number"),
            problem("/seats/5/right", "bad_reference"),
            problem("/seats/6/row", "bad_order"),
            problem("/seats/7/left", "bad_neighbour"),
        ]
        .into_iter()
        .chain([problem("/shapes/0/text", "bad_text")])
        .collect::<Vec<_>>()
    );
    assert_eq!(problems(&json!({"seats": [{"id": 5}]})), [problem("", "not_a_plan")]);
}

#[test]
fn a_hash_names_the_content_and_not_the_spelling() {
    let plan = import(&theatre()).unwrap();
    let spaced = serde_json::to_string_pretty(&theatre()).unwrap();
    assert_eq!(Plan::import(spaced.as_bytes()).unwrap().hash(), plan.hash());
    let mut moved = theatre();
    moved["zones"][0]["rows"][0]["seats"][0]["position"]["x"] = json!(0.5);
    assert_ne!(import(&moved).unwrap().hash(), plan.hash());
    let hash = plan.hash();
    assert_eq!(hash.to_string().len(), 64);
    assert_eq!(hash.to_string().parse::<PlanHash>().unwrap(), hash);
    assert_eq!(serde_json::from_str::<PlanHash>(&serde_json::to_string(&hash).unwrap()).unwrap(), hash);
    for text in ["", "00", &"g".repeat(64), &"é".repeat(32), &"0".repeat(65)] {
        assert!(text.parse::<PlanHash>().is_err(), "{text}");
    }
}

/// The example of docs/plan-format.md.
fn example() -> Value {
    let page = include_str!("../../docs/plan-format.md");
    let json = page.split("```json").nth(1).and_then(|rest| rest.split("```").next()).expect("the page has an example");
    serde_json::from_str(json).unwrap()
}

#[test]
fn the_documented_example_comes_in_and_goes_out_the_same() {
    let plan = import(&example()).unwrap();
    assert_eq!(serde_json::to_value(&plan).unwrap()["seats"][1], example()["seats"][1]);
    assert_eq!(plan.areas[0].price, Won::new(110_000));
    assert_eq!((plan.price_of(0), plan.price_of(1)), (Won::new(110_000), None));
    let mut dear = example();
    dear["areas"][0]["price"] = json!(100_000_001);
    assert_eq!(problems(&dear), [problem("/areas/0/price", "bad_price")]);
}

/// Every object of the schema has exactly the fields that the program writes, and asks for those it can't do without.
#[test]
fn the_schema_says_what_the_program_reads() {
    let schema: Value = serde_json::from_str(include_str!("../../docs/plan-format.schema.json")).unwrap();
    let full = serde_json::to_value(import(&example()).unwrap()).unwrap();
    let keys = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    let merged = |list: &Value| list.as_array().unwrap().iter().flat_map(keys).collect::<BTreeSet<String>>();
    let of = |name: &str| keys(&schema["$defs"][name]["properties"]);
    assert_eq!(keys(&schema["properties"]), keys(&full));
    for (list, name) in [("categories", "category"), ("areas", "area"), ("rows", "row"), ("seats", "seat"), ("shapes", "shape")] {
        assert_eq!(of(name), merged(&full[list]), "{name}");
        for needed in schema["$defs"][name]["required"].as_array().unwrap() {
            let mut without = example();
            without[list][0].as_object_mut().unwrap().remove(needed.as_str().unwrap());
            assert!(import(&without).is_err(), "{name} without {needed}");
        }
    }
    let most = |name: &str| schema["properties"][name]["maxItems"].as_u64().unwrap() as usize;
    assert_eq!((most("seats"), most("areas"), most("categories")), (PLAN_SEATS_MAX, PLAN_AREAS_MAX, CATEGORIES_MAX));
}

#[test]
fn a_plan_that_came_in_as_pretix_goes_out_and_in_again_the_same() {
    let mut priced = theatre();
    priced["categories"][0]["price"] = json!(110_000);
    for plan in [theatre(), priced] {
        let plan = import(&plan).unwrap();
        let again = import(&plan.to_pretix()).unwrap();
        assert_eq!(again, plan);
        assert_eq!(again.hash(), plan.hash());
    }
}

#[test]
fn what_pretix_cant_say_is_all_that_is_lost() {
    let plan = import(&example()).unwrap();
    let again = import(&plan.to_pretix()).unwrap();
    let plain = |plan: &Plan| -> Vec<_> {
        let seats = plan.seats.iter();
        seats.map(|seat| (seat.id.clone(), seat.number.clone(), seat.row, seat.category, seat.position)).collect()
    };
    assert_eq!(plain(&again), plain(&plan));
    assert!(again.seats.iter().all(|seat| seat.kind == SeatKind::Standard));
    assert_eq!((&again.categories, &again.rows, &again.shapes, again.size), (&plan.categories, &plan.rows, &plan.shapes, plan.size));
    assert_eq!(
        again.areas.iter().map(|area| (&area.name, area.price)).collect::<Vec<_>>(),
        plan.areas.iter().map(|area| (&area.name, area.price)).collect::<Vec<_>>()
    );
}
