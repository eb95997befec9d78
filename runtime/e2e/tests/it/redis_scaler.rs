//! The redis scaler's component in its sandbox, against real servers.
use anyhow::{Context, Result};
use serde_json::{Value, json};
use windlass_e2e::{Polled, Redis, RedisCluster, RedisOptions, RedisSentinel, RedisTransport, poll};

/// An address where nobody listens.
const NOBODY: &str = "127.0.0.1:1";

fn ask(kind: &str, metadata: &Value, authentication: &Value) -> Result<Polled> {
    poll("redis", &json!({ "type": kind, "metadata": metadata, "authParams": authentication }))
}

fn work(address: &str) -> Value {
    json!({ "address": address, "listName": "work" })
}

/// The value, or everything that was told instead.
fn value(polled: Polled) -> Result<f64> {
    polled.value().with_context(|| polled.text)
}

/// Kind and message of the failure, or everything that was told instead.
fn failure(polled: Polled) -> Result<(String, String)> {
    let failure = polled.failure().map(|(kind, message)| (kind.to_owned(), message.to_owned()));
    failure.with_context(|| polled.text)
}

#[tokio::test]
async fn a_server_that_goes_and_comes_back() -> Result<()> {
    let mut redis = Redis::start(RedisOptions::default()).await?;
    let metadata = work(&redis.address());
    assert_eq!(value(ask("redis", &metadata, &json!({}))?)?, 0.0, "a list that does not exist");
    redis.push("work", 12)?;
    let polled = ask("redis", &metadata, &json!({}))?;
    assert_eq!(polled.told["metrics"], json!([{ "name": "s0-redis-work", "value": 12.0, "target": 5.0 }]));
    assert_eq!(polled.told["active"], json!(true));
    redis.kill()?;
    let (kind, message) = failure(ask("redis", &metadata, &json!({}))?)?;
    assert!(kind == "unreachable" && message.contains("refused the connection"), "{kind}: {message}");
    redis.resume().await?;
    redis.push("work", 3)?;
    assert_eq!(value(ask("redis", &metadata, &json!({}))?)?, 3.0);
    Ok(())
}

#[tokio::test]
async fn every_type_that_can_be_counted_and_any_name() -> Result<()> {
    let redis = Redis::start(RedisOptions::default()).await?;
    let put: [&[&str]; 4] = [
        &["SADD", "a set", "a", "b"],
        &["ZADD", "zset:ä", "1", "a"],
        &["HSET", "'hash'", "a", "1", "b", "2", "c", "3"],
        &["XADD", "stream", "*", "a", "1"],
    ];
    for command in put {
        redis.command(command)?;
    }
    for (name, expected) in [("a set", 2.0), ("zset:ä", 1.0), ("'hash'", 3.0), ("none", 0.0)] {
        let metadata = json!({ "address": redis.address(), "listName": name });
        assert_eq!(value(ask("redis", &metadata, &json!({}))?)?, expected, "{name}");
    }
    let metadata = json!({ "address": redis.address(), "listName": "stream" });
    let (kind, message) = failure(ask("redis", &metadata, &json!({}))?)?;
    assert!(kind == "bad-response" && message.contains("unsupported key type: stream"), "{kind}: {message}");
    Ok(())
}

#[tokio::test]
async fn password_and_database() -> Result<()> {
    let options = RedisOptions { password: Some("first-password".to_owned()), ..RedisOptions::default() };
    let redis = Redis::start(options).await?;
    redis.push("work", 4)?;
    redis.command(&["COPY", "work", "work", "DB", "7"])?;
    redis.command(&["RPUSH", "work", "more"])?;
    let right = json!({ "password": "first-password" });
    assert_eq!(value(ask("redis", &work(&redis.address()), &right)?)?, 5.0);
    let (host, port) =
        redis.address().rsplit_once(':').map(|(h, p)| (h.to_owned(), p.to_owned())).context("address")?;
    let other = json!({ "host": host, "port": port, "listName": "work", "databaseIndex": "7" });
    assert_eq!(value(ask("redis", &other, &right)?)?, 4.0);
    let missing = json!({ "address": redis.address(), "listName": "work", "databaseIndex": "99" });
    let (kind, message) = failure(ask("redis", &missing, &right)?)?;
    assert!(kind == "invalid" && message.contains("databaseIndex"), "{kind}: {message}");

    let wrong = ask("redis", &work(&redis.address()), &json!({ "password": "second-password" }))?;
    assert!(!wrong.text.contains("second-password"), "{}", wrong.text);
    let (kind, message) = failure(wrong)?;
    assert!(kind == "auth" && message.contains("WRONGPASS"), "{kind}: {message}");
    let (kind, message) = failure(ask("redis", &work(&redis.address()), &json!({}))?)?;
    assert!(kind == "auth" && message.contains("wants a password"), "{kind}: {message}");
    Ok(())
}

#[tokio::test]
async fn a_password_where_none_is_needed() -> Result<()> {
    let redis = Redis::start(RedisOptions::default()).await?;
    redis.push("work", 2)?;
    assert_eq!(value(ask("redis", &work(&redis.address()), &json!({ "password": "any-password" }))?)?, 2.0);
    Ok(())
}

#[tokio::test]
async fn users_and_their_rights() -> Result<()> {
    let password = Some("user-password".to_owned());
    let redis =
        Redis::start(RedisOptions { password, user: Some("owner".to_owned()), ..RedisOptions::default() }).await?;
    redis.push("work", 6)?;
    let login = |user: &str| json!({ "username": user, "password": "user-password" });
    assert_eq!(value(ask("redis", &work(&redis.address()), &login("owner"))?)?, 6.0);
    // What the scaler's documentation says suffices, and no less.
    let rights = ["+eval", "+type", "+llen", "+scard", "+zcard", "+hlen"];
    let set = |user: &str, rights: &[&str]| {
        let words = [&["ACL", "SETUSER", user, "on", ">user-password", "~work"], rights].concat();
        redis.command(&words)
    };
    set("scaler", &rights)?;
    assert_eq!(value(ask("redis", &work(&redis.address()), &login("scaler"))?)?, 6.0);
    set("no-scripts", &rights[1..])?;
    set("no-lengths", &rights[..2])?;
    for user in ["no-scripts", "no-lengths"] {
        let (kind, message) = failure(ask("redis", &work(&redis.address()), &login(user))?)?;
        assert!(kind == "auth" && message.contains("+eval +type +llen"), "{user}: {kind}: {message}");
    }
    let other = json!({ "address": redis.address(), "listName": "other" });
    let (kind, message) = failure(ask("redis", &other, &login("scaler"))?)?;
    assert!(kind == "auth" && message.contains("+eval"), "{kind}: {message}");
    Ok(())
}

#[tokio::test]
async fn tls_with_a_private_authority() -> Result<()> {
    let password = Some("tls-password".to_owned());
    let redis = Redis::start(RedisOptions { password, user: None, transport: RedisTransport::Tls }).await?;
    redis.push("work", 8)?;
    let authority = redis.authority().context("it serves TLS")?;
    let trusted = json!({ "password": "tls-password", "tls": "enable", "ca": authority });
    assert_eq!(value(ask("redis", &work(&redis.address()), &trusted)?)?, 8.0);
    let mut metadata = work(&redis.address());
    metadata["enableTLS"] = json!("true");
    let (kind, message) = failure(ask("redis", &metadata, &json!({ "password": "tls-password" }))?)?;
    assert!(kind == "unreachable" && message.contains("certificate"), "{kind}: {message}");
    metadata["unsafeSsl"] = json!("true");
    assert_eq!(value(ask("redis", &metadata, &json!({ "password": "tls-password" }))?)?, 8.0);
    // A server of TLS that is spoken to in the open.
    let polled = ask("redis", &work(&redis.address()), &json!({ "password": "tls-password" }))?;
    assert!(!polled.text.contains("tls-password"), "{}", polled.text);
    failure(polled)?;
    Ok(())
}

#[tokio::test]
async fn a_cluster_with_lists_on_all_nodes() -> Result<()> {
    let cluster = RedisCluster::start(Some("cluster-password")).await?;
    let login = json!({ "password": "cluster-password" });
    let nodes = cluster.addresses();
    let mut slots = Vec::new();
    for (number, list) in ["a", "b", "c", "d", "e", "f"].into_iter().enumerate() {
        cluster.push(list, number + 1)?;
        slots.push(cluster.command(&["CLUSTER", "KEYSLOT", list])?.trim().parse::<u32>()? * 3 / 16_384);
        // One node names those that nobody wrote; where one is down, the next is asked.
        for addresses in [nodes[0].clone(), nodes.join(","), format!("{NOBODY},{}", nodes[2])] {
            let metadata = json!({ "addresses": addresses, "listName": list });
            assert_eq!(value(ask("redis-cluster", &metadata, &login)?)?, (number + 1) as f64, "{list}: {addresses}");
        }
    }
    slots.sort_unstable();
    slots.dedup();
    assert_eq!(slots, [0, 1, 2], "the lists are on all nodes");

    let metadata = json!({ "addresses": nodes[0], "listName": "a" });
    let (kind, message) = failure(ask("redis-cluster", &metadata, &json!({ "password": "wrong-password" }))?)?;
    assert!(kind == "auth" && message.contains("WRONGPASS"), "{kind}: {message}");
    Ok(())
}

#[tokio::test]
async fn a_node_of_a_cluster_is_no_single_server() -> Result<()> {
    let cluster = RedisCluster::start(None).await?;
    let mut refused = 0;
    for address in cluster.addresses() {
        let polled = ask("redis", &json!({ "address": address, "listName": "work" }), &json!({}))?;
        if polled.value().is_none() {
            let (kind, message) = failure(polled)?;
            assert!(kind == "bad-response" && message.contains("redis-cluster"), "{kind}: {message}");
            refused += 1;
        }
    }
    assert_eq!(refused, 2, "one node has the slot");
    Ok(())
}

#[tokio::test]
async fn a_master_behind_sentinels_and_its_successor() -> Result<()> {
    let mut servers = RedisSentinel::start(Some("master-password"), Some("sentinel-password")).await?;
    servers.push("work", 5)?;
    let login = json!({ "password": "master-password", "sentinelPassword": "sentinel-password" });
    let metadata = json!({
        "addresses": format!("{NOBODY},{}", servers.address()), "sentinelMaster": servers.master_name(), "listName": "work",
    });
    assert_eq!(value(ask("redis-sentinel", &metadata, &login)?)?, 5.0);

    for (wrong, who) in [
        (json!({ "password": "master-password", "sentinelPassword": "wrong-password" }), "WRONGPASS"),
        (json!({ "password": "wrong-password", "sentinelPassword": "sentinel-password" }), "WRONGPASS"),
        (json!({ "password": "master-password" }), "wants a password"),
    ] {
        let polled = ask("redis-sentinel", &metadata, &wrong)?;
        assert!(!polled.text.contains("wrong-password"), "{}", polled.text);
        let (kind, message) = failure(polled)?;
        assert!(kind == "auth" && message.contains(who), "{kind}: {message}");
    }
    let mut unknown = metadata.clone();
    unknown["sentinelMaster"] = json!("nobody");
    let (kind, message) = failure(ask("redis-sentinel", &unknown, &login)?)?;
    assert!(kind == "not-found" && message.contains("nobody"), "{kind}: {message}");

    servers.fail_over().await?;
    servers.push("after", 3)?;
    let after = json!({
        "addresses": servers.address(), "sentinelMaster": servers.master_name(), "listName": "after",
    });
    assert_eq!(value(ask("redis-sentinel", &after, &login)?)?, 3.0);
    Ok(())
}
