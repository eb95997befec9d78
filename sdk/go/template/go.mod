module {{name}}

go 1.24

require windlass v0.0.0

replace windlass => ./windlass
