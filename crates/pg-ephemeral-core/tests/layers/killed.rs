//! Processes that are killed while they build layers.

use std::time::{Duration, Instant};

use pg_ephemeral_core::Folders;
use pg_ephemeral_core::reap::{Patience, reap_recorded};

use super::{Ground, assert_same, forms};

/// How many times, by the variable `LAYERS_KILLS`.
fn times(usual: u32) -> u32 {
    std::env::var("LAYERS_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

pub(crate) async fn killed(kind: ociman::Kind, usual: u32) {
    let undisturbed = Ground::cold(kind);
    let seeds = chain(&undisturbed);
    let begin = Instant::now();
    run_to_its_end(&undisturbed, &seeds);
    let whole = begin.elapsed();
    let expected = undisturbed.dump(&seeds).await;
    drop(undisturbed);
    let times = times(usual);
    let mut random = 0x9E37_79B9_7F4A_7C15_u64 ^ u64::from(std::process::id());
    let mut cut_short = 0;
    for round in 0..times {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        // Spread over the whole build, at no moment of it in particular.
        let share = (f64::from(round) + (random % 1000) as f64 / 1000.0) / f64::from(times);
        let ground = Ground::cold(kind);
        let seeds = chain(&ground);
        let mut victim = ground.helper("populate", &seeds).spawn().unwrap();
        std::thread::sleep(whole.mul_f64(share).max(Duration::from_millis(1)));
        victim.kill().unwrap();
        cut_short += u32::from(!victim.wait().unwrap().success());
        ground.populate(&seeds).await;
        // A start that was cut off may still come from the engine; only `gc` waits for it.
        let backend = ground.definition(&seeds).find_backend().await.unwrap();
        reap_recorded(&Folders::at(ground.state()), &backend, Patience::Settle).await;
        ground.assert_nothing_runs();
        let dumped = ground.dump(&seeds).await;
        assert!(ground.applied().is_empty(), "round {round}: {:?}", ground.steps());
        assert_same(&expected, &dumped);
        assert_eq!(ground.layers().len(), 7, "round {round}");
        ground.assert_nothing_runs();
    }
    // A busy first run makes the others look short.
    assert!(cut_short * 4 >= times, "only {cut_short} of {times} were cut short");
}

/// The rental shop, and an UNLOGGED table at the end, for which a server is stopped and started again.
fn chain(ground: &Ground) -> String {
    let unlogged = "unlogged = { type = \"sql-statement\", statement = \"create unlogged table u as select g from generate_series(1, 9) g\" }\n";
    forms::rental(ground, 1) + unlogged
}

fn run_to_its_end(ground: &Ground, seeds: &str) {
    let output = ground.helper("populate", seeds).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
