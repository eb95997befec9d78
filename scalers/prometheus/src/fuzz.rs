//! Answers, spoiled.
use crate::answer::value;
use windlass_sdk::http::Response;
use windlass_testkit::{Edits, mangled};

const ANSWERS: [&str; 6] = [
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1700000000.123,"5"]}]}}"#,
    r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#,
    r#"{"status":"success","data":{"resultType":"scalar","result":[1700000000,"NaN"]}}"#,
    r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"histogram":[1,{"count":"3"}]}]}}"#,
    r#"{"status":"error","errorType":"bad_data","error":"parse error"}"#,
    r#"{"data":{"result":null}}"#,
];

#[test]
fn answer() {
    bolero::check!().with_type::<(Edits, u16, bool)>().for_each(|(edits, status, ignore_null)| {
        let status = if status % 2 == 0 { 200 } else { 100 + status % 500 };
        let response = Response { status, headers: Vec::new(), body: mangled(&ANSWERS, edits) };
        if let Ok(value) = value(&response, *ignore_null) {
            assert!(value.is_finite());
            assert!((200..300).contains(&status), "a refusal is no number");
        }
    });
}
