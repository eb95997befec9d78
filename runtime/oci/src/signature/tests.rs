//! Signatures by key.
use super::*;

fn key() -> PrivateKey {
    PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap()
}

fn signed(key: &PrivateKey, payload: Vec<u8>) -> Signed {
    let signature = key.sign(&payload).unwrap();
    Signed { form: Form::Simple, payload, signature, evidence: None }
}

#[test]
fn each_way_of_being_wrong_has_its_own_error() {
    let reference = "oci://registry.example/q".parse().unwrap();
    let (ours, theirs, manifest) = (key(), key(), Digest::of(b"manifest"));
    let requirement = Requirement { keys: vec![ours.public()], ..Requirement::wanted("the policy wants it") };
    let good = signed(&ours, payload(&reference, manifest).unwrap());
    let by_other = signed(&theirs, payload(&reference, manifest).unwrap());
    let of_other = signed(&ours, payload(&reference, Digest::of(b"other")).unwrap());
    let tampered = Signed { payload: payload(&reference, manifest).unwrap(), ..of_other.clone() };
    let words = signed(&ours, b"{}".to_vec());
    let check = |signatures: &[&Signed]| {
        check(&signatures.iter().map(|one| (*one).clone()).collect::<Vec<_>>(), manifest, &requirement)
    };
    assert_eq!(check(&[&good]), Ok(()));
    assert_eq!(check(&[&by_other, &of_other, &tampered, &good]), Ok(()));
    assert!(matches!(check(&[]), Err(Fault::Unsigned { .. })));
    assert!(matches!(check(&[&by_other, &tampered]), Err(Fault::WrongKey { count: 2, .. })));
    assert!(matches!(check(&[&by_other, &of_other]), Err(Fault::OtherContent { .. })));
    assert!(matches!(check(&[&words]), Err(Fault::OtherContent { .. })));
}

#[test]
fn the_payload_is_cosigns() {
    let text = payload(&"oci://registry.example/acme/q:1".parse().unwrap(), Digest::of(b"")).unwrap();
    let expected = concat!(
        r#"{"critical":{"identity":{"docker-reference":"registry.example/acme/q"},"#,
        r#""image":{"docker-manifest-digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},"#,
        r#""type":"cosign container image signature"},"optional":null}"#
    );
    assert_eq!(String::from_utf8(text).unwrap(), expected);
}

mod by_identity {
    use super::super::*;

    const VECTORS: &str = include_str!("vectors/keyless.json");

    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Vectors {
        manifest: String,
        trusted_root: serde_json::Value,
        vectors: Vec<Vector>,
        bundles: Vec<Bundled>,
    }

    #[derive(Deserialize)]
    struct Bundled {
        name: String,
        bundle: serde_json::Value,
    }

    #[derive(Clone, Deserialize)]
    struct Vector {
        name: String,
        #[serde(flatten)]
        signed: Signed,
        #[serde(flatten)]
        evidence: Evidence,
    }

    struct World {
        manifest: Digest,
        trusted: Arc<TrustedRoot>,
        vectors: Vec<Vector>,
    }

    fn world() -> World {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let trusted = TrustedRoot::parse(&vectors.trusted_root.to_string()).unwrap();
        World { manifest: vectors.manifest.parse().unwrap(), trusted: Arc::new(trusted), vectors: vectors.vectors }
    }

    impl World {
        fn signed(&self, name: &str) -> Signed {
            let vector = self.vectors.iter().find(|vector| vector.name == name).unwrap();
            Signed { evidence: Some(vector.evidence.clone()), ..vector.signed.clone() }
        }

        fn requirement(&self, issuer: &str, subject: &str) -> Requirement {
            let identity = Identity { issuer: issuer.to_owned(), subject: subject.to_owned() };
            let trusted = Some(self.trusted.clone());
            Requirement { identities: vec![identity], trusted, ..Requirement::wanted("the policy wants it") }
        }

        fn check(&self, signed: &Signed) -> Result<(), Fault> {
            let ours = self.requirement(ACTIONS, OURS);
            check(std::slice::from_ref(signed), self.manifest, &ours)
        }
    }

    const ACTIONS: &str = "https://token.actions.githubusercontent.com";
    const OURS: &str = "https://github.com/acme/*/.github/workflows/release.yaml@refs/tags/*";

    #[test]
    fn a_good_one_is_accepted_for_its_identity_alone() {
        let world = world();
        let manifest = world.manifest;
        let good = [world.signed("good")];
        assert_eq!(world.check(&good[0]), Ok(()));
        assert_eq!(world.check(&world.signed("issuer without a type")), Ok(()));
        let address = world.requirement("https://accounts.example.com", "release@example.com");
        assert_eq!(check(&[world.signed("address")], manifest, &address), Ok(()));

        for (issuer, subject) in [
            (ACTIONS, "https://github.com/other/*/.github/workflows/release.yaml@refs/tags/*"),
            (ACTIONS, "https://github.com/*/.github/workflows/release.yaml@refs/tags/*"),
            (ACTIONS, "https://github.com/acme/scalers/.github/workflows/release.yaml@refs/tags/v1.2.0/more"),
            ("https://accounts.example.com", OURS),
        ] {
            let fault = check(&good, manifest, &world.requirement(issuer, subject)).unwrap_err();
            let Fault::WrongIdentity { found, .. } = &fault else { panic!("{fault}") };
            assert!(found.contains("acme/scalers") && found.ends_with(ACTIONS), "{found}");
        }
        let moved = check(&good, Digest::of(b"other"), &world.requirement(ACTIONS, OURS));
        assert!(matches!(moved, Err(Fault::OtherContent { .. })), "{moved:?}");
        // By key alone, its evidence is nothing.
        let other = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
        let keys = Requirement { keys: vec![other.public()], ..Requirement::wanted("the policy wants it") };
        assert!(matches!(check(&good, manifest, &keys), Err(Fault::WrongKey { .. })));
    }

    #[test]
    fn each_thing_that_does_not_hold_is_named() {
        let world = world();
        for (name, words) in [
            ("another authority", "no authority of the trusted root"),
            ("for servers", "for signing code"),
            ("in no log of certificates", "no log of certificates"),
            ("in an unknown log of certificates", "no log of certificates"),
            ("too late", "for that time"),
            ("too early", "for that time"),
            ("in an unknown log", "that the trusted root does not name"),
            ("entry of another payload", "of another signature"),
            ("entry of another signature", "of another signature"),
            ("entry of another certificate", "of another signature"),
            ("not by its certificate's key", "its certificate's key"),
        ] {
            let fault = world.check(&world.signed(name)).unwrap_err();
            assert!(matches!(fault, Fault::Unproven { .. }) && fault.to_string().contains(words), "{name}: {fault}");
        }
    }

    #[test]
    fn a_bundle_of_cosign_3_is_read_and_checked_as_well() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let world = world();
        let signed = |name: &str| {
            let found = vectors.bundles.iter().find(|bundled| bundled.name == name).unwrap();
            bundle::read(found.bundle.to_string().as_bytes()).unwrap()
        };
        assert_eq!(world.check(&signed("good")), Ok(()));
        assert!(matches!(world.check(&signed("of another manifest")), Err(Fault::OtherContent { .. })));
        let fault = world.check(&signed("entry of another statement")).unwrap_err();
        assert!(fault.to_string().contains("of another signature"), "{fault}");
        // As the payload itself, which nobody signed, it is nothing.
        assert!(world.check(&Signed { form: Form::Simple, ..signed("good") }).is_err());

        // By key: no certificate, no entry of the log.
        let key = PrivateKey::from_pem(&PrivateKey::generate().unwrap()).unwrap();
        let unsigned = Signed { evidence: None, ..signed("good") };
        let signature = key.sign(&unsigned.message()).unwrap();
        let ours = Requirement { keys: vec![key.public()], ..Requirement::wanted("the policy wants it") };
        assert_eq!(check(&[Signed { signature, ..unsigned.clone() }], world.manifest, &ours), Ok(()));
        let signature = key.sign(&unsigned.payload).unwrap();
        assert!(check(&[Signed { signature, ..unsigned }], world.manifest, &ours).is_err());
        assert_eq!(bundle::read(b"{}"), None);
    }

    /// Whatever character is changed of a good one: it is refused, or the change has no meaning (the spare bits that end base64,
    /// spaces of PEM). Nothing panics.
    #[test]
    fn nothing_of_it_can_be_changed() {
        let world = world();
        let mut good = world.signed("good");
        // The root has the authority's whole chain, so that this one is not looked at.
        good.evidence.as_mut().unwrap().chain.clear();
        let who = |signed: &Signed| keyless::signer(signed, signed.evidence.as_ref()?, &world.trusted).ok();
        let text = serde_json::to_string(&good).unwrap();
        let (mut refused, mut same) = (0, 0);
        for at in 0..text.len() {
            let mut bytes = text.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let Ok(changed) = serde_json::from_slice::<Signed>(&bytes) else { continue };
            if world.check(&changed).is_err() {
                refused += 1;
                continue;
            }
            same += 1;
            assert_eq!(who(&changed), who(&good), "at {at}");
            assert_eq!((&changed.payload, &changed.signature), (&good.payload, &good.signature), "at {at}");
        }
        assert!(refused > 10 * same, "{refused} refused, {same} the same");
    }

    #[test]
    fn a_root_that_trusts_nobody_is_refused() {
        let vectors: Vectors = serde_json::from_str(VECTORS).unwrap();
        let without = |field: &str| {
            let mut root = vectors.trusted_root.clone();
            root.as_object_mut().unwrap().remove(field);
            TrustedRoot::parse(&root.to_string()).map_err(|error| error.to_string())
        };
        assert!(without("tlogs").unwrap_err().contains("names no tlogs"));
        assert!(without("certificateAuthorities").unwrap_err().contains("names no certificateAuthorities"));
        assert!(without("mediaType").unwrap_err().contains("mediaType"));
        // A root without logs of certificates wants none.
        let trusted = Some(Arc::new(without("ctlogs").unwrap()));
        let world = world();
        let requirement = Requirement { trusted, ..world.requirement(ACTIONS, OURS) };
        let signed = [world.signed("in no log of certificates")];
        assert_eq!(check(&signed, world.manifest, &requirement), Ok(()));
    }
}
