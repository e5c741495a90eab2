package model

// minioDepartures are the ways in which MinIO differs from S3.
var minioDepartures = []Departure{}
