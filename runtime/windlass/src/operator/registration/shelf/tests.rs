use super::*;
use serde_json::json;
use windlass_core::workload::{Ask, Material};

/// An object with one trigger of a type.
fn intake(namespace: &str, name: &str, kind: &str) -> Arc<Intake> {
    let object = json!({
        "apiVersion": "keda.sh/v1alpha1", "kind": "ScaledObject",
        "metadata": { "name": name, "namespace": namespace, "generation": 1 },
        "spec": { "scaleTargetRef": { "name": name }, "triggers": [{ "type": kind, "metadata": {} }] },
    });
    let object = serde_json::from_value(object).unwrap();
    let declared = Arc::new(windlass_api::lower(&object).unwrap());
    Arc::new(Intake { declared, materials: vec![Material::default()], fault: None })
}

fn registration(namespace: Option<&str>, reference: &str) -> Registration {
    let registrant = namespace.map_or(Registrant::Cluster, |namespace| Registrant::Namespace(namespace.to_owned()));
    let location = format!("oci://registry.example/{reference}").parse().unwrap();
    Registration { registrant, location, requirement: None }
}

fn loaded(kind: &str, byte: u8) -> Loaded {
    let scaler = Scaler {
        digest: Digest([byte; 32]),
        name: kind.into(),
        version: "1".into(),
        triggers: vec![kind.into()],
        parameters: Vec::new(),
        open_ended: false,
        needs: Vec::new(),
    };
    Loaded { scaler: Arc::new(scaler), manifest: None, bytes: None }
}

/// The first look of an object at its slot: the slot's key and number.
fn new(shelf: &Shelf, registration: Registration, object: &Arc<Intake>) -> (Key, u64) {
    match shelf.open().take(registration, object, &object.declared.triggers[0]).unwrap() {
        Taken::New(key, number) => (key, number),
        Taken::Awaited | Taken::Serving(..) => panic!("not new"),
    }
}

/// What a later look gives: a digest, or `None` while it is awaited.
fn look(shelf: &Shelf, registration: Registration, object: &Arc<Intake>) -> Result<Option<Digest>, String> {
    match shelf.open().take(registration, object, &object.declared.triggers[0]) {
        Ok(Taken::Serving(serving, _)) => Ok(Some(serving.scaler.digest)),
        Ok(Taken::Awaited) => Ok(None),
        Ok(Taken::New(..)) => panic!("new"),
        Err(fault) => Err(fault.message.to_string()),
    }
}

#[tokio::test(start_paused = true)]
async fn a_component_is_awaited_for_a_while_and_then_said_to_be_missing() {
    let shelf = Shelf::new(8);
    let (web, of) = (intake("ns", "web", "queue"), || registration(Some("ns"), "queue:1"));
    let (key, number) = new(&shelf, of(), &web);
    assert_eq!(look(&shelf, of(), &web), Ok(None));
    tokio::time::advance(GRACE).await;
    assert!(look(&shelf, of(), &web).unwrap_err().contains("still being fetched"));
    assert!(shelf.fail(&key, number, "no such manifest".into()));
    assert!(!shelf.fail(&key, number, "no such manifest".into()), "no news");
    assert_eq!(look(&shelf, of(), &web).unwrap_err(), "no such manifest");
    shelf.serve(&key, number, loaded("queue", 1));
    assert_eq!(look(&shelf, of(), &web), Ok(Some(Digest([1; 32]))));
    // A component of another type than the annotation says.
    shelf.serve(&key, number, loaded("stack", 2));
    assert!(look(&shelf, of(), &web).unwrap_err().contains("windlass.dev/scaler.stack"));
}

#[tokio::test]
async fn a_slot_lives_as_long_as_it_is_used() {
    let shelf = Shelf::new(8);
    let (web, api) = (intake("ns", "web", "queue"), intake("ns", "api", "queue"));
    let (key, number) = new(&shelf, registration(Some("ns"), "queue:1"), &web);
    assert_eq!(look(&shelf, registration(Some("ns"), "queue:1"), &api), Ok(None));
    assert_eq!(shelf.users(&key, number).len(), 2);
    drop(web);
    assert_eq!(shelf.objects(&key, number), [api.declared.key.clone()]);
    assert!(shelf.find(&key, number).is_some());
    // Its only user turns to another one.
    new(&shelf, registration(Some("ns"), "queue:2"), &api);
    assert!(shelf.find(&key, number).is_none());
    // What comes later under the same name is another slot, which the old one's keeper does not touch.
    let (again, later) = new(&shelf, registration(Some("ns"), "queue:1"), &api);
    assert_eq!(again, key);
    shelf.serve(&key, number, loaded("queue", 1));
    assert_eq!(look(&shelf, registration(Some("ns"), "queue:1"), &api), Ok(None));
    shelf.serve(&key, later, loaded("queue", 1));
    // Only what nobody is served by is released.
    let mut released = false;
    shelf.unless_served(Digest([1; 32]), || released = true);
    assert!(!released);
    shelf.open().leave(&api, 0);
    assert!(shelf.find(&key, later).is_none());
    shelf.unless_served(Digest([1; 32]), || released = true);
    assert!(released);
}

#[tokio::test]
async fn a_namespace_has_so_many_components_and_no_more() {
    let shelf = Shelf::new(2);
    let objects: Vec<_> = ["a", "b", "c"].map(|name| intake("ns", name, "queue")).into();
    let take = |object: &Arc<Intake>, namespace: Option<&str>, reference: &str| {
        let trigger = &object.declared.triggers[0];
        shelf.open().take(registration(namespace, reference), object, trigger).map(drop).map_err(|fault| fault.message)
    };
    take(&objects[0], Some("ns"), "a:1").unwrap();
    take(&objects[1], Some("ns"), "b:1").unwrap();
    let refusal = take(&objects[2], Some("ns"), "c:1").unwrap_err();
    assert!(refusal.contains("--namespace-components"), "{refusal}");
    // Others have room of their own, and so have objects that share one.
    take(&objects[2], Some("other"), "c:1").unwrap();
    take(&objects[2], None, "c:1").unwrap();
    take(&objects[2], Some("ns"), "b:1").unwrap();
    // One that nobody uses any more makes room.
    take(&objects[0], Some("ns"), "b:1").unwrap();
    take(&objects[1], Some("ns"), "c:1").unwrap();
}

#[tokio::test]
async fn another_requirement_is_verified_anew() {
    let shelf = Shelf::new(8);
    let web = intake("ns", "web", "queue");
    assert!(matches!(web.declared.triggers[0].ask, Ask::External { .. }));
    let (key, number) = new(&shelf, registration(None, "queue:1"), &web);
    shelf.serve(&key, number, loaded("queue", 1));
    let requirement = windlass_oci::Requirement::wanted("a signature");
    let signed = Registration { requirement: Some(requirement), ..registration(None, "queue:1") };
    let (same, later) = new(&shelf, signed, &web);
    assert_eq!(same, key);
    assert!(shelf.find(&key, number).is_none());
    assert_eq!(shelf.users(&key, later).len(), 1);
}

#[tokio::test]
async fn what_is_told_of_a_slot() {
    let shelf = Shelf::new(8);
    let web = intake("ns", "web", "queue");
    let (key, number) = new(&shelf, registration(Some("ns"), "queue:1"), &web);
    let row = |shelf: &Shelf| shelf.rows().remove(0);
    assert_eq!((row(&shelf).state, row(&shelf).triggers), (Standing::Loading, vec!["queue".to_owned()]));
    shelf.serve(&key, number, loaded("queue", 1));
    let serving = row(&shelf);
    assert_eq!((serving.state, serving.namespace.as_deref()), (Standing::Serving, Some("ns")));
    assert!(serving.since.is_some() && serving.component.is_some());
    assert!(shelf.hold_back(&key, number, Some("it wants more".into())));
    assert!(!shelf.hold_back(&key, number, Some("it wants more".into())), "no news");
    assert_eq!((row(&shelf).state, row(&shelf).message.as_deref()), (Standing::HeldBack, Some("it wants more")));
    match shelf.open().take(registration(Some("ns"), "queue:1"), &web, &web.declared.triggers[0]) {
        Ok(Taken::Serving(serving, _)) => assert_eq!(serving.held_back.as_deref(), Some("it wants more")),
        _ => panic!("it serves"),
    }
}
