package market

// CurveListed tells whether the table of curves knows a DEX.
func CurveListed(dex string) bool {
	_, listed := curveOf(dex)
	return listed
}
