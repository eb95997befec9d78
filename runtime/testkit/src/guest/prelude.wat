;; What every guest of the test kit brings: all imports of the contract, an allocator that never frees, and words for
;; outcomes. Addresses below 1024 are scratch: 64 the current answer of an exchange, 128 a value, 192 a read, 256 a poll's argument.
(import "windlass:scaler/report@0.1.0" "put" (func $put
  (param $query i32) (param $case i32) (param i32 i32 i64 i32 i64 i64 i32 i64 i32 i32 i32 i32 i32 i32)))
(import "windlass:scaler/network@0.1.0" "learn" (func $learn (param i32 i32 i32 i32 i32 i32)))
(import "windlass:scaler/http@0.1.0" "send" (func $http_send (param i32 i32) (result i32)))
(import "windlass:scaler/http@0.1.0" "[method]exchange.next" (func $exchange_next (param i32 i32)))
(import "windlass:scaler/http@0.1.0" "[resource-drop]exchange" (func $exchange_drop (param i32)))
(import "windlass:scaler/http@0.1.0" "[method]body.read" (func $body_read (param i32 i32 i32)))
(import "windlass:scaler/http@0.1.0" "[resource-drop]body" (func $body_drop (param i32)))
(import "windlass:scaler/tcp@0.1.0" "[static]connection.open" (func $tcp_open (param i32 i32 i32)))
(import "windlass:scaler/tcp@0.1.0" "[method]connection.write" (func $tcp_write (param i32 i32 i32 i32)))
(import "windlass:scaler/tcp@0.1.0" "[method]connection.read" (func $tcp_read (param i32 i32 i32 i32)))
(import "windlass:scaler/tcp@0.1.0" "[static]connection.keep" (func $tcp_keep (param i32)))
(import "windlass:scaler/tcp@0.1.0" "[resource-drop]connection" (func $tcp_drop (param i32)))
(import "windlass:scaler/clock@0.1.0" "monotonic-ms" (func $clock (result i64)))
(import "windlass:scaler/random@0.1.0" "bytes" (func $random (param i32 i32)))
(import "windlass:scaler/log@0.1.0" "write" (func $log (param $level i32) (param i32 i32) (param i32 i32)))

(func $alloc (export "alloc") (param $size i32) (param $align i32) (result i32)
  (local $at i32)
  (local.set $at (i32.and
    (i32.add (global.get $heap) (i32.sub (local.get $align) (i32.const 1)))
    (i32.sub (i32.const 0) (local.get $align))))
  (global.set $heap (i32.add (local.get $at) (local.get $size)))
  (block $fits (loop $grow
    (br_if $fits (i32.le_u (global.get $heap) (i32.mul (memory.size $memory) (i32.const 65536))))
    (if (i32.eq (memory.grow $memory (i32.const 1)) (i32.const -1)) (then unreachable))
    (br $grow)))
  (local.get $at))

(func (export "cabi_realloc") (param $old i32) (param $had i32) (param $align i32) (param $size i32) (result i32)
  (local $at i32)
  ;; realloc
  (local.set $at (call $alloc (local.get $size) (local.get $align)))
  (memory.copy (local.get $at) (local.get $old) (local.get $had))
  (local.get $at))

;; A reading of `count` values at `values`, and the state that it leaves.
(func $reading (param $query i32) (param $values i32) (param $count i32) (param $state i32) (param $length i32)
  (call $put (local.get $query) (i32.const 0) (local.get $values) (local.get $count)
    (i64.const 0) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i64.const 0)
    (i32.const 1) (local.get $state) (local.get $length) (i32.const 0) (i32.const 0) (i32.const 0)))

;; A reading of one value.
(func $ready (param $query i32) (param $value f64)
  (f64.store (i32.const 128) (local.get $value))
  (call $reading (local.get $query) (i32.const 128) (i32.const 1) (i32.const 0) (i32.const 0)))

;; The contract's failure kinds by number, from 0 = invalid to 8 = internal.
(func $failed (param $query i32) (param $kind i32) (param $message i32) (param $length i32)
  (call $put (local.get $query) (i32.const 1) (local.get $kind) (local.get $message)
    (i64.extend_i32_u (local.get $length)) (i32.const 0) (i64.const 0) (i64.const 0) (i32.const 0) (i64.const 0)
    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0)))

;; Sends requests and tells of each: its status as the value and its body as the state, or the failure that the host told.
(func $ask (param $requests i32) (param $count i32)
  (local $exchange i32) (local $query i32) (local $status f64) (local $body i32) (local $text i32) (local $length i32)
  (local.set $exchange (call $http_send (local.get $requests) (local.get $count)))
  (block $told (loop $next
    (call $exchange_next (local.get $exchange) (i32.const 64))
    (br_if $told (i32.eqz (i32.load8_u (i32.const 64))))
    (local.set $query (i32.load (i32.add (local.get $requests) (i32.mul (i32.load (i32.const 72)) (i32.const 56)))))
    (if (i32.load8_u (i32.const 80))
      (then (call $failed (local.get $query) (i32.load8_u (i32.const 88)) (i32.load (i32.const 92)) (i32.load (i32.const 96))))
      (else
        (local.set $status (f64.convert_i32_u (i32.load16_u (i32.const 88))))
        (local.set $body (i32.load (i32.const 100)))
        (local.set $text (i32.const 0))
        (local.set $length (i32.const 0))
        (block $read (loop $piece
          (call $body_read (local.get $body) (i32.const 4096) (i32.const 192))
          (if (i32.load8_u (i32.const 192)) (then
            (call $failed (local.get $query) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208)))
            (br $read)))
          (if (i32.eqz (i32.load (i32.const 204))) (then
            (f64.store (i32.const 128) (local.get $status))
            (call $reading (local.get $query) (i32.const 128) (i32.const 1) (local.get $text) (local.get $length))
            (br $read)))
          ;; The first piece stays; a longer body counts by its end alone.
          (if (i32.eqz (local.get $length)) (then
            (local.set $text (i32.load (i32.const 200)))
            (local.set $length (i32.load (i32.const 204)))))
          (br $piece)))
        (call $body_drop (local.get $body))))
    (br $next)))
  (call $exchange_drop (local.get $exchange)))

;; Writes to an endpoint and reads one answer: 1 for a new connection and 0 for a kept one, with the answer as the state.
(func $talk (param $query i32) (param $text i32) (param $length i32)
  (local $connection i32) (local $fresh f64)
  (call $tcp_open (local.get $query) (i32.const 0) (i32.const 192))
  (if (i32.load8_u (i32.const 192)) (then
    (call $failed (local.get $query) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208)))
    (return)))
  (local.set $connection (i32.load (i32.const 200)))
  (local.set $fresh (f64.convert_i32_u (i32.load8_u (i32.const 204))))
  (call $tcp_write (local.get $connection) (local.get $text) (local.get $length) (i32.const 192))
  (call $tcp_read (local.get $connection) (i32.const 4096) (i32.const 60000) (i32.const 192))
  (if (i32.load8_u (i32.const 192)) (then
    (call $failed (local.get $query) (i32.load8_u (i32.const 200)) (i32.load (i32.const 204)) (i32.load (i32.const 208)))
    (call $tcp_drop (local.get $connection))
    (return)))
  (f64.store (i32.const 128) (local.get $fresh))
  (call $reading (local.get $query) (i32.const 128) (i32.const 1) (i32.load (i32.const 200)) (i32.load (i32.const 204)))
  (call $tcp_keep (local.get $connection)))
