//! The event sources themselves.
use crate::shared::LIMIT;
use anyhow::Result;
use windlass_e2e::{
    Prometheus, PrometheusAccess, PrometheusOptions, Redis, RedisCluster, RedisOptions, RedisSentinel, RedisTransport,
    until,
};
use windlass_testkit::ScriptedHttp;

#[tokio::test]
async fn redis_with_password_user_and_tls() -> Result<()> {
    let protected = RedisOptions { password: Some("first-password".to_owned()), ..RedisOptions::default() };
    let user = RedisOptions { user: Some("reader".to_owned()), ..protected.clone() };
    let tls = RedisOptions { transport: RedisTransport::Tls, ..protected.clone() };
    for options in [RedisOptions::default(), protected, user, tls] {
        let mut redis = Redis::start(options.clone()).await?;
        redis.push("work", 1500)?;
        assert_eq!(redis.command(&["LLEN", "work"])?.trim(), "1500", "{options:?}");
        assert_eq!(redis.authority().is_some(), options.transport == RedisTransport::Tls);
        redis.kill()?;
        assert!(redis.command(&["PING"]).is_err(), "{options:?}: killed, yet it answers");
        redis.resume().await?;
        assert_eq!(redis.command(&["LLEN", "work"])?.trim(), "0");
        if options.password.is_some() && options.transport == RedisTransport::Plain {
            let intruder = std::process::Command::new("redis-cli")
                .args(["-p", redis.address().rsplit(':').next().unwrap_or_default(), "LLEN", "work"])
                .output()?;
            assert!(String::from_utf8_lossy(&intruder.stdout).contains("NOAUTH"), "{intruder:?}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn redis_cluster_shares_keys() -> Result<()> {
    let cluster = RedisCluster::start(Some("cluster-password")).await?;
    for list in ["a", "b", "c", "d"] {
        cluster.push(list, 10)?;
        assert!(cluster.command(&["LLEN", list])?.trim().ends_with("10"));
    }
    assert_eq!(cluster.addresses().len(), 3);
    Ok(())
}

#[tokio::test]
async fn redis_sentinel_fails_over() -> Result<()> {
    let mut sentinel = RedisSentinel::start(Some("master-password"), Some("sentinel-password")).await?;
    sentinel.push("work", 5)?;
    sentinel.fail_over().await?;
    sentinel.push("work", 5)
}

#[tokio::test]
async fn prometheus_scrapes_and_answers() -> Result<()> {
    let source = ScriptedHttp::start().await?;
    source.set_body("depth 42\n");
    for access in [PrometheusAccess::Open, PrometheusAccess::Basic] {
        let options =
            PrometheusOptions { targets: vec![source.address().to_string()], access, ..PrometheusOptions::default() };
        let prometheus = Prometheus::start(options).await?;
        let value = until("the value is scraped", LIMIT, || prometheus.query("sum(depth)")).await?;
        assert_eq!(value, 42.0);
        assert_eq!(prometheus.query("nothing_of_that_name").await?, None);
    }
    Ok(())
}
